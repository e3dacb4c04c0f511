"""`omniforge agents plan`, and plans in `omniforge validate`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.driving import SKILL, CommandLine, a_skill
from tests.support.requirements import requirement

WIRING: list[dict[str, Any]] = [
    {"name": "find"},
    {"name": "mail", "order": 2, "for_each": "steps.find.output.rows", "on_failure": "continue"},
    {"name": "report", "order": 2, "when": "input.kind == 'full'", "timeout_s": 60},
    {"name": "send", "order": 3, "on_failure": "fallback:tell"},
    {"name": "tell", "order": 3},
    {"name": "style", "on_demand": True},
]
DRAWING = """\
● find
│
├─● mail    after find
│   for each  steps.find.output.rows
│   when it fails, the run goes on
├─● report  after find
│   when      input.kind == 'full'
│   limits    60 s
│
● send    after mail, report
╎
○ tell    in place of send, if that fails

on demand: style
"""


def an_agent(folder: Path, wiring: list[dict[str, Any]], **more: Any) -> Path:
    for name in (one["name"] for one in wiring):
        a_skill(folder / "skills" / name, SKILL.replace("name: greet", f"name: {name}"))
    (folder / "agent.json").write_text(json.dumps({"name": "weekly", "skills": wiring, **more}))
    return folder


@requirement("FR-11")
async def test_a_plan_is_drawn_from_a_folder_and_from_the_platform_alike(
    cli: CommandLine, tmp_path: Path
) -> None:
    folder = an_agent(tmp_path, WIRING)
    made = (await cli("agents", "create", str(folder), "--json")).id

    here, there = await cli("agents", "plan", str(folder)), await cli("agents", "plan", made)

    assert here.out == DRAWING
    assert there.out == DRAWING


def test_a_folder_needs_no_platform(alone: CommandLine, tmp_path: Path) -> None:
    folder = str(an_agent(tmp_path, WIRING))

    mermaid = alone.run("agents", "plan", folder, "--mermaid")
    graph = alone.run("agents", "plan", folder, "--json").document

    assert mermaid.out.startswith('flowchart TD\n    n0["find"]\n')
    assert [node["level"] for node in graph["nodes"]] == [0, 1, 1, 2, 3]


@requirement("ENG-6")
def test_a_strategy_in_agent_json_wires_the_skills(alone: CommandLine, tmp_path: Path) -> None:
    roles = [{"name": "developer"}, {"name": "architect"}]

    drawn = alone.run("agents", "plan", str(an_agent(tmp_path, roles, strategy="multi")))

    assert [line.split()[1] for line in drawn.out.splitlines() if "●" in line] == [
        "architect",
        "developer",
    ]


async def test_creating_tells_which_strategy_it_was_and_why(
    cli: CommandLine, tmp_path: Path
) -> None:
    roles = [{"name": "developer"}, {"name": "architect"}]

    created = await cli("agents", "create", str(an_agent(tmp_path, roles, strategy="auto")))

    assert "Wired as multi, because each skill has a role in the chain." in created.err


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"depends_on": ["find"]}, "The skills wait for each other: find -> find."),
        ({"when": "steps.gone.output == 1"}, "skills[0].when: There is no step 'gone'."),
    ],
)
async def test_an_unsound_plan_is_told_by_validate_and_refused_by_create(
    cli: CommandLine, tmp_path: Path, more: dict[str, Any], problem: str
) -> None:
    folder = an_agent(tmp_path, [{"name": "find", **more}])

    checked = await cli("validate", str(folder))
    refused = await cli("agents", "create", str(folder))

    assert checked.status == 1
    assert f"{folder}/agent.json:1: error plan: {problem}" in checked.out
    assert refused.status == 1
    assert problem in refused.err


def test_a_folder_whose_plan_is_no_graph_cannot_be_drawn(
    alone: CommandLine, tmp_path: Path
) -> None:
    folder = an_agent(tmp_path, [{"name": "find", "depends_on": ["find"]}])

    refused = alone.run("agents", "plan", str(folder))

    assert (refused.status, refused.out) == (1, "")
    assert "The skills wait for each other" in refused.err
