"""Which names are time zones, and which are told to be meant in the place of others."""

import zoneinfo

import pytest

from omniforge.agents.triggers.zones import known_zone
from omniforge.errors import TimeZoneUnknown


@pytest.mark.parametrize(
    "name",
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Europe/Kyiv",
        "Europe/Kiev",
        "US/Pacific",
        "Etc/GMT+2",
    ],
)
def test_names_of_the_iana_database_are_known_and_older_ones_too(name: str) -> None:
    assert known_zone(name) == name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("europe/berlin", "Did you mean Europe/Berlin?"),
        ("EUROPE/BERLIN", "Did you mean Europe/Berlin?"),
        ("utc", "Did you mean UTC?"),
        ("Berlin", "Did you mean Europe/Berlin?"),
        ("New York", "Did you mean America/New_York?"),
        ("America/New York", "Did you mean America/New_York?"),
        (" Europe/Berlin", "Did you mean Europe/Berlin?"),
        ("Europe/Belrin", "Did you mean Europe/Berlin"),
        ("posix/Europe/Berlin", "Did you mean Europe/Berlin?"),
        ("CEST", "such as Europe/Berlin or America/New_York, or UTC. Abbreviations and offsets"),
        ("EDT", "Abbreviations and offsets do not say when clocks change."),
        ("+02:00", "Abbreviations and offsets do not say when clocks change."),
        ("W. Europe Standard Time", "Name the zone by its continent and a city in it"),
        ("", "Name the zone by its continent"),
        ("Europe/Berlin\0", "Did you mean Europe/Berlin"),
        ("\ud800", r"There is no time zone '\ud800'."),
        ("../../etc/passwd", "Name the zone by its continent"),
        ("x" * 10_000, "Name the zone by its continent"),
    ],
)
def test_anything_else_is_refused_with_the_name_that_may_be_meant(name: str, meant: str) -> None:
    with pytest.raises(TimeZoneUnknown) as refused:
        known_zone(name)

    assert meant in refused.value.message
    assert refused.value.code == "time_zone_unknown"
    assert len(refused.value.message) < 400


@pytest.mark.parametrize("name", ["Factory", "localtime"])
def test_entries_that_are_no_zones_are_refused(name: str) -> None:
    with pytest.raises(TimeZoneUnknown):
        known_zone(name)


def test_every_zone_of_the_database_can_be_had_without_the_machines_own() -> None:
    try:
        zoneinfo.reset_tzpath(to=())
        names = zoneinfo.available_timezones()
    finally:
        zoneinfo.reset_tzpath()

    assert {known_zone(name) for name in names if name != "Factory"} == names - {"Factory"}
    assert len(names) > 590
