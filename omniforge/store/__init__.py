"""The database and the blobs: tables, one repository a noun, and the journal's adapter."""
