"""Tools: what a skill can do, and the gateway every call goes through."""
