import pytest

from omniforge.errors import TryAgain
from tests.support.requirements import requirement
from tests.tools.bench import Bench

ROWS = "T-{0},Task number {0} of many,{1},{2},{3},2026-01-0{0},2026-02-0{0}\n"


def export(header: str) -> str:
    words = [("Mia", "Open", "North"), ("Jon", "Done", "South"), ("Mia", "open", "North")] * 3
    rows = (ROWS.format(n, *each) for n, each in enumerate(words, start=1))
    return header + "\n" + "".join(rows)


@requirement("TOOL-3")
@pytest.mark.parametrize(
    "header",
    [
        "Key,Task,Assignee,Status,Project,Created,Due",
        "Nr,Aufgabe,Zuständig,Zustand,Bereich,Erstellt am,Fällig am",
        "id,task_name,assigned_to,state,team,start_date,due_date",
        "Ticket ID,Betreff,Bearbeiter,Stand,Projekt,Angelegt,Frist",
    ],
)
async def test_columns_are_recognised_in_english_and_german(bench: Bench, header: str) -> None:
    bench.has("t.csv", export(header))

    answer = await bench.call("table_columns", path="t.csv", required=["due"])

    _, title, assignee, status, project, _, due = header.split(",")
    assert answer["roles"] == {
        "title": title, "due": due, "status": status, "assignee": assignee, "project": project,
    }  # fmt: skip


async def test_names_that_say_nothing_leave_the_values_to_speak(bench: Bench) -> None:
    bench.has("t.csv", "A,B,C\n" + "Some longer words {},open,2026-01-01\n" * 9)

    answer = await bench.call("table_columns", path="t.csv")

    assert (answer["roles"]["status"], answer["roles"]["due"]) == ("B", "C")
    assert any("'C' was taken as due because of its values" in note for note in answer["notes"])
    assert answer["roles"]["assignee"] is None


async def test_a_given_column_wins_and_empty_ones_are_guessed(bench: Bench) -> None:
    bench.has("t.csv", export("Key,Task,Assignee,Status,Project,Created,Due"))

    answer = await bench.call(
        "table_columns", path="t.csv", given={"due": "created", "status": "", "title": None}
    )

    assert answer["roles"]["due"] == "Created"
    assert answer["roles"]["status"] == "Status"


async def test_a_creation_date_never_passes_for_a_due_date(bench: Bench) -> None:
    bench.has("t.csv", "Task,Created,Closed on\nA b c,2026-01-01,2026-02-01\n")

    with pytest.raises(TryAgain, match="No column was recognised as due"):
        await bench.call("table_columns", path="t.csv", required=["due"])
