"""Measurements against raw Temporal, taken in the same run on the same server."""
