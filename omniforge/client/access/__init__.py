"""Who may use a platform: keys, members, invitations, and what was done about them."""
