"""Marks a test as the proof of requirements."""

import pytest


def requirement(*ids: str) -> pytest.MarkDecorator:
    """`@requirement("FR-7")`: this test shows that FR-7 holds. `tests/requirements.py` lists the ids."""
    return pytest.mark.requirement(*ids)
