"""What the tests of the execution share."""

from pathlib import Path

import pytest

from omniforge.execution.model_call import asking
from omniforge.journal import journal
from tests.execution.making import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RESEND_PAUSE", 0.001)
    monkeypatch.setattr(asking, "_pause", lambda error, attempt: 0.001)
