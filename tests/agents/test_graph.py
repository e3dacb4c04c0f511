"""A plan as a graph for pictures."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.agents.config import SkillReference
from omniforge.agents.graph import PlanGraph
from omniforge.errors import PlanInvalid
from tests.support.requirements import requirement

SKILLS = [
    SkillReference(name="find"),
    SkillReference(name="mail", order=2, for_each="steps.find.output", on_failure="continue"),
    SkillReference(name="report", order=2, when='input.kind == "full"', timeout_s=60),
    SkillReference(name="send", order=3, on_failure="fallback:tell"),
    SkillReference(name="tell", order=3),
    SkillReference(name="style", on_demand=True),
]


@requirement("FR-11")
def test_the_graph_has_levels_conditions_and_fallbacks() -> None:
    graph = PlanGraph.of(SKILLS, 4)

    assert {node.id: node.level for node in graph.nodes} == {
        "find": 0, "mail": 1, "report": 1, "send": 2, "tell": 3,
    }  # fmt: skip
    assert [(edge.source, edge.target, edge.kind) for edge in graph.edges] == [
        ("find", "mail", "then"),
        ("find", "report", "then"),
        ("mail", "send", "then"),
        ("report", "send", "then"),
        ("send", "tell", "fallback"),
    ]
    assert (graph.on_demand, graph.max_parallel) == (("style",), 4)


def test_mermaid_draws_it_with_labels_that_are_escaped() -> None:
    assert PlanGraph.of(SKILLS).mermaid().splitlines() == [
        "flowchart TD",
        '    n0["find"]',
        '    n1["mail<br/>for each of steps.find.output<br/>goes on when it fails"]',
        '    n2["report<br/>when input.kind #61;#61; #34;full#34;"]',
        '    n3["send"]',
        '    n4["tell"]',
        "    n0 --> n1",
        "    n0 --> n2",
        "    n1 --> n3",
        "    n2 --> n3",
        "    n3 -. if it fails .-> n4",
    ]


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_no_condition_breaks_out_of_its_label(when: str) -> None:
    drawn = PlanGraph.of([SkillReference(name="find", when=when)]).mermaid()

    label = re.fullmatch(r'flowchart TD\n    n0\["find<br/>when ([^"<>`\[\]{}|\n]*)"\]\n', drawn)
    assert label is not None


def test_a_circle_is_refused() -> None:
    with pytest.raises(PlanInvalid):
        PlanGraph.of([SkillReference(name="find", depends_on=("find",))])
