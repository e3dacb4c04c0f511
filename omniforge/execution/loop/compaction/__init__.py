"""Notes that take the place of older turns."""
