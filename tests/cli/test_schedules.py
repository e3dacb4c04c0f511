"""`omniforge schedules`."""

import json
from pathlib import Path

import pytest

from omniforge.cli.triggers.times import spoken
from tests.cli.driving import CommandLine
from tests.cli.terminal import at_terminal
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement

MONDAYS = ("0 8 * * 1", "--timezone", "Europe/Berlin")


async def added(cli: CommandLine, platform: Platform, *more: str) -> str:
    agent = await platform.agent(skill("one"))
    said = await cli("schedules", "add", agent, *MONDAYS, "--json", *more)
    assert said.status == 0, said.err
    return said.id


@requirement("SDK-3", "FR-9")
async def test_a_schedule_is_added_and_shown_in_words_with_its_next_times(
    cli: CommandLine, platform: Platform
) -> None:
    agent = await platform.agent(skill("one"), name="reporter")
    options = ("--name", "weekly", "--starts", "2027-01-01", "--ends", "2027-12-31T23:00")
    made = await cli("schedules", "add", "reporter", *MONDAYS, *options, "--overlap", "allow")
    listed = await cli("schedules", "list", "--agent", agent)
    schedule_id = listed.lines[0][0]
    shown = await cli("schedules", "show", schedule_id)
    document = (await cli("schedules", "show", schedule_id, "--json")).document

    assert made.status == 0, made.err
    assert shown.out == made.out
    assert "Monday" in shown.out
    assert "cron        0 8 * * 1 (Europe/Berlin)" in shown.out
    assert "state       active" in shown.out
    assert "next        Mon 2027-01-04 08:00 Europe/Berlin" in shown.out
    assert shown.out.count("08:00 Europe/Berlin") == 5
    assert document["starts_at"] == "2026-12-31T23:00:00Z"
    assert document["ends_at"] == "2027-12-31T22:00:00Z"
    assert [len(document["next_times"]), document["overlap"]] == [5, "allow"]
    assert listed.lines[0][1:3] == ["weekly", agent]


@requirement("SDK-3", "FR-9")
async def test_a_schedule_is_paused_changed_and_removed(
    cli: CommandLine, platform: Platform
) -> None:
    schedule = await added(cli, platform, "--ends", "2050-01-01")
    paused = await cli("schedules", "pause", schedule, "--note", "holidays")
    resumed = await cli("schedules", "resume", schedule)
    skipped = await cli("schedules", "skip-next", schedule)
    change = ("schedules", "change", schedule, "--timezone", "UTC", "--ends", "none")
    changed = await cli(*change, "--starts", "2030-01-01T12:00", "--json")
    removed = await cli("schedules", "remove", schedule)
    gone = await cli("schedules", "show", schedule)

    assert "state       paused: holidays" in paused.out
    assert "state       active" in resumed.out
    assert "skips       Mon" in skipped.out
    assert changed.document["starts_at"] == "2030-01-01T12:00:00Z"
    assert (changed.document["ends_at"], changed.document["timezone"]) == (None, "UTC")
    assert removed.status == 0
    assert (gone.status, "There is no schedule" in gone.err) == (1, True)


@requirement("SDK-3", "FR-9")
async def test_a_run_is_started_now_and_told_in_the_history(
    cli: CommandLine, platform: Platform
) -> None:
    schedule = await added(cli, platform)
    started = await cli("schedules", "run", schedule)
    run = await platform.ended(started.out.strip())
    told = await cli("schedules", "history", schedule)
    none = await cli("schedules", "history", await added(cli, platform))

    assert "omniforge runs watch" in started.err
    assert told.lines[0][3:] == ["now", "run", run["id"]]
    assert "It has not fired yet." in none.err


@requirement("SDK-3", "FR-9")
async def test_a_range_is_shown_and_runs_only_when_somebody_agrees(
    cli: CommandLine, platform: Platform
) -> None:
    schedule = await added(cli, platform)
    words = ("schedules", "backfill", schedule, "--since", "2026-11-02", "--until", "2026-11-17")
    nobody = await cli(*words)
    shown = await cli(*words, "--preview", "--json")
    async with at_terminal(cli.variables, *words) as terminal:
        await terminal.asked("Start these 3?")
        terminal.types("n")
        refused = await terminal.left()
    before = await cli("schedules", "history", schedule)
    done = await cli(*words, "--yes")
    again = await cli(*words, "--yes", "--json")
    after = await cli("schedules", "history", schedule)

    assert (nobody.status, "--yes" in nobody.err) == (1, True)
    assert "first  Mon 2026-11-02 08:00 Europe/Berlin" in nobody.out
    assert [len(shown.document["times"]), shown.document["execution_ids"]] == [3, []]
    assert (refused, before.lines) == (0, [])
    assert "Started 3" in done.err
    assert again.document["execution_ids"] == []
    assert [line[3:5] for line in after.lines] == [["backfill", "run"]] * 3


@requirement("SDK-3", "FR-9")
async def test_an_expression_is_previewed(cli: CommandLine) -> None:
    seen = await cli("schedules", "preview", "@daily", "--timezone", "America/New_York")
    wrong = await cli("schedules", "preview", "0 8 ? * 1")

    assert seen.out.startswith("when  ")
    assert seen.out.count("00:00 America/New_York") == 5
    assert (wrong.status, wrong.out) == (1, "")


async def test_a_date_that_is_none_is_refused_before_anything_is_sent(
    cli: CommandLine, platform: Platform
) -> None:
    agent = await platform.agent(skill("one"))
    wrong = await cli("schedules", "add", agent, *MONDAYS, "--starts", "next week")
    listed = await cli("schedules", "list", "--agent", agent)

    assert (wrong.status, "'next week' is not a date like" in wrong.err) == (2, True)
    assert listed.lines == []


def test_a_moment_is_told_there_and_here(monkeypatch: pytest.MonkeyPatch) -> None:
    import time
    from datetime import UTC, datetime

    at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        there, here = spoken(at, "Europe/Berlin"), spoken(at, "America/New_York")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert there == "Fri 2027-01-01 00:30 Europe/Berlin (here 2026-12-31 18:30)"
    assert here == "Thu 2026-12-31 18:30 America/New_York"


# ---- many at once ------------------------------------------------------------------------------


@requirement("SDK-3", "FR-9")
async def test_many_are_created_from_a_table_once(
    cli: CommandLine, platform: Platform, tmp_path: Path
) -> None:
    agent = await platform.agent(skill("one"), name="tabled")
    file = tmp_path / "schedules.csv"
    rows = [
        f"tabled,{minute} 8 * * 1,Europe/Berlin,row {minute},2030-01-01," for minute in range(30)
    ]
    rows += [f'{agent},@daily,,,,"{{""a"": 1}}"'] * 2
    header = "agent,cron_expression,timezone,name,starts_at,input_data"
    file.write_text("\n".join([header, *rows]))

    first = await cli("schedules", "import", str(file))
    again = await cli("schedules", "import", str(file), "--json")
    listed = await cli("schedules", "list", "--agent", agent, "--all", "--json")

    assert (first.status, first.out.strip()) == (0, "32 schedules are there")
    assert again.document == {"schedules": 32}
    found = listed.document["schedules"]
    assert len(found) == 32
    assert [one["input_data"] for one in found if one["cron_expression"] == "@daily"] == [
        {"a": 1}
    ] * 2
    assert {one["starts_at"] for one in found} == {"2029-12-31T23:00:00Z", None}


@requirement("SDK-3")
async def test_an_import_stops_at_what_is_wrong_and_goes_on_when_repeated(
    cli: CommandLine, platform: Platform, tmp_path: Path
) -> None:
    agent = await platform.agent(skill("one"))
    rows = [{"agent": agent, "cron_expression": f"{minute} 8 * * 1"} for minute in range(20)]
    file = tmp_path / "schedules.json"
    file.write_text(json.dumps([*rows[:10], {"agent": agent, "cron_expression": "x"}, *rows[10:]]))

    stopped = await cli("schedules", "import", str(file))
    file.write_text(json.dumps(rows))
    repeated = await cli("schedules", "import", str(file))
    listed = await cli("schedules", "list", "--agent", agent, "--all", "--json")

    assert stopped.status == 1
    assert "Stopped at row 11." in stopped.err
    assert repeated.status == 0, repeated.err
    assert len(listed.document["schedules"]) == 20


BAD_FILES = {
    "there is no 'cron'": "agent,cron\na,@daily",
    "it needs 'cron_expression'": "agent\na",
    "starts_at": "agent,cron_expression,starts_at\na,@daily,soon",
    "input_data is not JSON": "agent,cron_expression,input_data\na,@daily,{",
}


@pytest.mark.parametrize("said", BAD_FILES)
async def test_a_file_that_cannot_be_is_refused_whole(
    cli: CommandLine, tmp_path: Path, said: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(BAD_FILES[said])

    refused = await cli("schedules", "import", str(file))

    assert (refused.status, said in refused.err) == (2, True), refused.err
