"""Keys, members, invitations, and the audit log."""
