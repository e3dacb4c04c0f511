"""One platform per home folder."""

from pathlib import Path

import pytest

from dev.errors import AlreadyRunning
from dev.lock import sole_owner


def test_a_second_start_in_the_same_home_is_refused_and_told_where_the_first_one_is(
    tmp_path: Path,
) -> None:
    with sole_owner(tmp_path) as lock:
        lock.describe(API="http://localhost:8000")

        with pytest.raises(AlreadyRunning, match="API http://localhost:8000") as refused:
            sole_owner(tmp_path).__enter__()

    assert str(tmp_path) in refused.value.message
    assert "OMNIFORGE_HOME" in refused.value.message


def test_a_home_is_free_again_after_its_platform_has_ended(tmp_path: Path) -> None:
    with sole_owner(tmp_path) as lock:
        lock.describe(API="http://localhost:8000")

    with sole_owner(tmp_path):
        pass
