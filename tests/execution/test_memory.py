"""A long skill leaves its worker's memory as it is. The full measure is `make bench`."""

from pathlib import Path

from benchmarks.memory import WINDOWS, long_skill_mb
from tests.support.requirements import requirement


@requirement("RAC-5")
async def test_a_hundred_pages_take_little_memory_whether_they_are_kept_or_not(
    tmp_path: Path,
) -> None:
    grown = await long_skill_mb(tmp_path, calls=100)

    assert len(grown) == len(WINDOWS)
    assert max(grown.values()) < 100
