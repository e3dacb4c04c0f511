"""The example agent, carried out by the offline model with the real tools."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from skills_ref import read_properties, validate

from omniforge.llm.offline import OfflineLLM
from omniforge.llm.protocol import Author, Completion, Message, ToolAnswer, ToolSchema
from omniforge.llm.sections import input_block, skill_block
from tests.support.requirements import requirement
from tests.tools.bench import Bench

EXAMPLE = Path(__file__).parents[2] / "examples" / "overdue-tasks"
AGENT = json.loads((EXAMPLE / "agent.json").read_text())
SKILLS = [skill["name"] for skill in AGENT["skills"]]
FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y")


async def carry_out(bench: Bench, skill: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Run a skill with the tools it allows and no others."""
    folder = EXAMPLE / "skills" / skill
    allowed = (read_properties(folder).allowed_tools or "").split()
    tools = [spec for spec in bench.registry.specs if spec.name in allowed]
    schemas = tuple(ToolSchema(spec.name, spec.description, spec.parameters) for spec in tools)
    body = (folder / "SKILL.md").read_text().split("---\n", 2)[2]
    messages = [Message(Author.USER, input_block(data))]
    while True:
        request = Completion("offline", skill_block(skill, body), tuple(messages), schemas)
        turn = await OfflineLLM().complete(request)
        if not turn.calls:
            answer: dict[str, Any] = json.loads(turn.text)
            return answer
        answers = [
            ToolAnswer(call.id, json.dumps(await bench.call(call.name, **call.arguments)))
            for call in turn.calls
        ]
        messages.append(Message(Author.ASSISTANT, turn.text, turn.calls))
        messages.append(Message(Author.USER, answers=tuple(answers)))


def overdue_by_hand(text: str, today: date) -> tuple[int, int]:
    """Count without the table tools: open tasks due before today, and all tasks."""
    rows = [row for row in csv.DictReader(io.StringIO(text, newline="")) if row["Key"]]
    done = {"done", "closed", "resolved", "cancelled"}
    open_rows = [row for row in rows if row["Status"].strip().casefold() not in done]
    due = [day for row in open_rows if (day := _day(row["Due"] or ""))]
    return sum(day < today for day in due), len(rows)


def _day(text: str) -> date | None:
    for form in FORMATS:
        try:
            return datetime.strptime(text[:10], form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


@requirement("SKL-5")
@pytest.mark.parametrize("skill", SKILLS)
def test_the_skills_keep_to_the_standard(skill: str) -> None:
    assert validate(EXAMPLE / "skills" / skill) == []


@requirement("SKL-5", "TOOL-3")
async def test_the_example_finds_what_a_plain_count_finds_and_reports_it(bench: Bench) -> None:
    text = (EXAMPLE / "tasks.csv").read_text()
    bench.has("tasks.csv", text)
    overdue, checked = overdue_by_hand(text, date.fromisoformat(AGENT["input"]["today"]))

    found = await carry_out(bench, SKILLS[0], AGENT["input"])
    told = await carry_out(bench, SKILLS[1], found)

    assert (found["overdue"], found["checked"]) == (overdue, checked)
    assert told["report"] == "report.md"
    assert (told["overdue"], told["checked"], told["today"]) == (overdue, checked, "2026-11-20")
    assert f"**{overdue} of {checked} tasks** in tasks.csv are overdue" in bench.text_of(
        "report.md"
    )
    assert any("end of month" in note for note in told["notes"])


async def test_the_example_works_with_an_export_of_ones_own(bench: Bench) -> None:
    rows = "Vertrag prüfen;erledigt;01.10.2026;Mia\nAngebot schreiben;offen;02.11.2026;Jon\n"
    bench.has("export.csv", f"Aufgabe;Zustand;Frist;Wer\n{rows}".encode("cp1252"))
    data = {"file": "export.csv", "today": "2026-11-20", "assignee_column": "Wer"}

    found = await carry_out(bench, SKILLS[0], data)
    told = await carry_out(bench, SKILLS[1], found)

    assert (found["overdue"], found["columns"]["project"]) == (1, None)
    assert told["assignee_with_most"]["Wer"] == "Jon"
    assert "| Angebot schreiben | Jon | 2026-11-02 | 18 |" in bench.text_of("report.md")


async def test_with_nothing_overdue_there_is_a_report_all_the_same(bench: Bench) -> None:
    bench.has("calm.csv", "Task,Status,Due\nWater the plants,Open,2027-01-01\n")

    found = await carry_out(bench, SKILLS[0], {"file": "calm.csv", "today": "2026-11-20"})
    told = await carry_out(bench, SKILLS[1], found)

    assert (found["overdue"], told["overdue"]) == (0, 0)
    assert "**0 of 1 tasks**" in bench.text_of("report.md")
