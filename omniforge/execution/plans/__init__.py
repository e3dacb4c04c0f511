"""Expressions of plans: evaluated, and checked before."""
