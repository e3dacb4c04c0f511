"""Models: one protocol, one file per provider, and what they cost."""
