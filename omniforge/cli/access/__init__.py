"""Who may use the workspace, from the command line."""
