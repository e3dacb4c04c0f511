"""What the tests of the journal share."""

import pytest

from omniforge.journal import journal as journal_module
from tests.journal.making import Node


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "RESEND_PAUSE", 0.001)
    monkeypatch.setattr(journal_module, "FIRST_WAIT_FOR_MONEY", 0.001)
