from datetime import UTC, date, datetime

import pytest

from omniforge.errors import TryAgain
from tests.support.requirements import requirement
from tests.tools.bench import Bench


@requirement("TOOL-3")
async def test_the_clock_tells_date_and_weekday_of_a_time_zone(bench: Bench) -> None:
    answer = await bench.call("clock", timezone="Asia/Tokyo")

    now = datetime.fromisoformat(answer["now"])
    assert now.tzname() == "UTC+09:00"
    assert answer["date"] == now.date().isoformat()
    assert answer["weekday"] == f"{date.fromisoformat(answer['date']):%A}"


async def test_without_a_time_zone_it_is_utc(bench: Bench) -> None:
    answer = await bench.call("clock")

    assert answer["timezone"] == "UTC"
    assert datetime.fromisoformat(answer["now"]).tzinfo == UTC


@pytest.mark.parametrize(
    "name", ["Europe/Berlim", "Mars", "../../etc/passwd", "America", "\0", "x" * 999]
)
async def test_an_unknown_time_zone_is_told(bench: Bench, name: str) -> None:
    with pytest.raises(TryAgain, match="no time zone"):
        await bench.call("clock", timezone=name)


async def test_a_misspelt_time_zone_names_the_nearest_one(bench: Bench) -> None:
    with pytest.raises(TryAgain, match="Did you mean 'Europe/Berlin'"):
        await bench.call("clock", timezone="europe/berlim")
