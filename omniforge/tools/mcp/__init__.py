"""The tools of MCP servers. Only `connection`, `process` and `web` load the SDK, and only when used."""
