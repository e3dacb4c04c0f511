"""The built-in tools, the registry and the workspace."""
