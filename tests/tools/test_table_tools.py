import json
from typing import Any

import pytest

from omniforge.errors import TryAgain
from tests.support.requirements import requirement
from tests.tools.bench import Bench

TASKS = """\
Task,Owner,State,Due date,Hours
Lay cable,Mia,Done,2026-11-01,"1.234,5"
Buy paint,mia ,open,05.11.2026,"2,5"
Call bank,Jon,In Progress,11/18/2026,10
Fix door,,Blocked,soon,
Plan party,Jon,To Do,2026-12-24,"0,5"
"""
TODAY = "2026-11-20"


@pytest.fixture
def tasks(bench: Bench) -> Bench:
    bench.has("tasks.csv", TASKS)
    return bench


async def found(bench: Bench, *conditions: dict[str, Any]) -> list[str]:
    answer = await bench.call("table_query", path="tasks.csv", where=[*conditions], today=TODAY)
    return [row["Task"] for row in answer["rows"]]


@requirement("TOOL-3")
@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ({"column": "State", "op": "eq", "value": "DONE"}, ["Lay cable"]),
        ({"column": "Owner", "op": "ne", "value": "Mia"}, ["Call bank", "Fix door", "Plan party"]),
        ({"column": "State", "op": "in", "value": ["open", "blocked"]}, ["Buy paint", "Fix door"]),
        ({"column": "Task", "op": "contains", "value": "PA"}, ["Buy paint", "Plan party"]),
        ({"column": "Owner", "op": "empty"}, ["Fix door"]),
        ({"column": "Hours", "op": "ge", "value": 10}, ["Lay cable", "Call bank"]),
        ({"column": "Hours", "op": "lt", "value": "2.6"}, ["Buy paint", "Plan party"]),
        ({"column": "Due date", "op": "before", "value": "today"}, ["Lay cable", "Buy paint", "Call bank"]),
        ({"column": "Due date", "op": "after", "value": "today+1m"}, ["Plan party"]),
        ({"column": "Due date", "op": "on", "value": "today-2d"}, ["Call bank"]),
        ({"column": "due date", "op": "le", "value": "2026-11-05"}, ["Lay cable", "Buy paint"]),
        ({"column": "Task", "op": "gt", "value": "G"}, ["Lay cable", "Plan party"]),
        ({"column": "State", "op": "is_done"}, ["Lay cable"]),
        ({"column": "State", "op": "is_open", "value": "blocked"}, ["Buy paint", "Call bank", "Plan party"]),
    ],
)  # fmt: skip
async def test_rows_are_chosen_by_conditions(
    tasks: Bench, condition: dict[str, Any], names: list[str]
) -> None:
    assert await found(tasks, condition) == names


async def test_what_could_not_be_compared_is_in_the_notes(tasks: Bench) -> None:
    where = [{"column": "Due date", "op": "before", "value": "today"}]

    answer = await tasks.call("table_query", path="tasks.csv", where=where, today=TODAY)

    assert "1 value in 'Due date' is not a date I can read: 'soon'." in answer["notes"]


async def test_a_query_adds_sorts_cuts_selects_and_saves(tasks: Bench) -> None:
    answer = await tasks.call(
        "table_query",
        path="tasks.csv",
        add=[
            {"column": "day", "from": "Due date", "as": "date"},
            {"column": "week", "from": "Due date", "as": "week"},
            {"column": "late", "from": "Due date", "as": "days_since"},
        ],
        sort_by=["-Due date"],
        limit=3,
        select=["Task", "day", "week", "late"],
        save_as="out/late.json",
        today=TODAY,
    )

    assert (
        answer["rows"]
        == json.loads(tasks.text_of("out/late.json"))
        == [
            {"Task": "Plan party", "day": "2026-12-24", "week": "2026-W52", "late": -34},
            {"Task": "Call bank", "day": "2026-11-18", "week": "2026-W47", "late": 2},
            {"Task": "Buy paint", "day": "2026-11-05", "week": "2026-W45", "late": 15},
        ]
    )
    assert (answer["total_rows"], answer["matched_rows"], answer["row_count"]) == (5, 5, 3)


async def test_empty_and_odd_values_are_sorted_last_both_ways(tasks: Bench) -> None:
    for order in ("Hours", "-Hours"):
        answer = await tasks.call("table_query", path="tasks.csv", sort_by=[order])
        assert answer["rows"][-1]["Task"] == "Fix door"


async def test_a_saved_table_reads_back_as_it_was(tasks: Bench) -> None:
    bench = tasks
    bench.has("odd.json", json.dumps([{"a": 'x,"y"\nz', "b": None}, {"a": 1.0, "b": True}]))

    await bench.call("table_query", path="odd.json", save_as="odd.csv")
    answer = await bench.call("table_read", path="odd.csv")

    assert answer["rows"] == [{"a": 'x,"y"\nz', "b": ""}, {"a": "1", "b": "true"}]


async def test_a_condition_without_a_column_is_refused_unless_optional(tasks: Bench) -> None:
    condition = {"column": None, "op": "is_open"}

    with pytest.raises(TryAgain, match="names no column"):
        await found(tasks, condition)
    assert len(await found(tasks, condition | {"optional": True})) == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"where": [{"column": "Due", "op": "empty"}]}, "Did you mean 'Due date'"),
        ({"where": [{"column": "Due date", "op": "before", "value": "friday"}]}, "is not a date"),
        ({"where": [{"column": "Task", "op": "eq"}, {"column": "Task", "op": "lt"}]}, "needs one value"),
        ({"save_as": "out.xlsx"}, r"\.csv or \.json"),
        ({"save_as": "../out.csv"}, "not a path inside"),
        ({"today": "tomorrow"}, "YYYY-MM-DD"),
        ({"select": [None]}, "at least one column"),
    ],
)  # fmt: skip
async def test_a_query_that_cannot_work_says_what_to_change(
    tasks: Bench, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(TryAgain, match=says):
        await tasks.call("table_query", path="tasks.csv", **arguments)


async def test_a_file_at_a_glance(tasks: Bench) -> None:
    answer = await tasks.call("table_read", path="tasks.csv", limit=1)

    types = {column["name"]: column["type"] for column in answer["columns"]}
    assert types == {
        "Task": "text",
        "Owner": "text",
        "State": "text",
        "Due date": "date",
        "Hours": "number",
    }
    assert answer["row_count"] == 5
    assert answer["rows"][0]["Task"] == "Lay cable"


async def test_groups_count_and_sum_and_come_as_markdown(tasks: Bench) -> None:
    answer = await tasks.call(
        "table_group",
        path="tasks.csv",
        by=["Owner"],
        aggregates=[
            {"fn": "count", "as": "Tasks"},
            {"fn": "sum", "column": "Hours"},
            {"fn": "max", "column": "Hours", "as": "Most"},
        ],
        sort_by=["-Tasks", "-Most"],
    )

    assert answer["markdown"].splitlines() == [
        "| Owner | Tasks | sum of Hours | Most |",
        "| --- | --- | --- | --- |",
        "| Mia | 2 | 1237 | 1234.5 |",
        "| Jon | 2 | 10.5 | 10 |",
        "| (none) | 1 |  |  |",
    ]


async def test_no_group_at_all_is_one_row_of_totals_even_without_rows(bench: Bench) -> None:
    bench.has("none.csv", "a,b\n")

    answer = await bench.call("table_group", path="none.csv", by=[None])

    assert answer["rows"] == [{"count": 0}]


async def test_the_first_and_last_date_of_a_group_are_dates(bench: Bench) -> None:
    bench.has("d.csv", "k,d\na,03.04.2026\na,2026-01-15\na,12/24/2025\n")

    answer = await bench.call(
        "table_group",
        path="d.csv",
        by=["k"],
        aggregates=[{"fn": fn, "column": "d", "as": fn} for fn in ("min", "max")],
    )

    assert answer["rows"] == [{"k": "a", "min": "2025-12-24", "max": "2026-04-03"}]


@pytest.mark.parametrize(
    ("how", "names"), [("inner", ["Mia", "Jon"]), ("left", ["Mia", "Jon", "Eve"])]
)
async def test_tables_join_on_keys_of_other_spelling_and_type(
    bench: Bench, how: str, names: list[str]
) -> None:
    bench.has("people.csv", "Id,Name\n7,Mia\n 8.0 ,Jon\n,Eve\n")
    bench.has("teams.json", json.dumps([{"person": 7, "team": "A"}, {"person": "8", "team": "B"}]))

    answer = await bench.call(
        "table_join",
        left="people.csv",
        right="teams.json",
        on=[{"left": "Id", "right": "person"}],
        how=how,
    )

    assert answer["columns"] == ["Id", "Name", "team"]
    assert [row["Name"] for row in answer["rows"]] == names
    assert answer["rows"][1]["team"] == "B"


async def test_markdown_keeps_its_shape_whatever_is_in_the_cells(bench: Bench) -> None:
    bench.has("m.json", json.dumps([{"a|b": "x|y\nz", "c": "\\|"}, {"a|b": "w" * 500, "c": None}]))

    answer = await bench.call("table_markdown", path="m.json", columns=["c", None, "a|b"])

    lines = answer["markdown"].splitlines()
    assert lines[2] == "| \\\\\\| | x\\|y z |"
    assert len(lines) == 4
    assert len(lines[3]) < 140


async def test_an_answer_never_grows_beyond_what_the_gateway_passes_whole(bench: Bench) -> None:
    bench.has("wide.json", json.dumps([{"a": "x" * 5_000, "n": n} for n in range(600)]))

    queried = await bench.call("table_query", path="wide.json")
    grouped = await bench.call("table_group", path="wide.json", by=["a", "n"])

    assert queried["row_count"] == 600
    assert max(len(json.dumps(answer)) for answer in (queried, grouped)) < 50_000
    assert "more rows not shown" in grouped["markdown"]
