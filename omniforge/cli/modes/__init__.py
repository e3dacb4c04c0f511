"""Trying agents out, and playing earlier runs again."""
