"""Services that people connect their accounts of: each a thin client, its tools and its OAuth data."""
