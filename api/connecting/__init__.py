"""Connections: how they are begun, and who looks after them."""
