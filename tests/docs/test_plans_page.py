"""The plan that the page shows is one, and is drawn as the page draws it."""

import json

from omniforge.agents.config import AgentLimits, SkillReference
from omniforge.agents.graph import PlanGraph
from omniforge.cli.plans.drawing import drawn
from omniforge.execution.plans.checks import findings
from tests.docs.pages import ROOT, Page

PAGE = Page(ROOT / "docs" / "plans.md")


def test_the_plan_on_the_page_is_sound_and_its_drawing_is_what_the_command_line_says() -> None:
    described, drawing = (
        next(block.text for block in PAGE.blocks() if block.language == language)
        for language in ("json", "text")
    )
    agent = json.loads(described)
    skills = [SkillReference.model_validate(skill) for skill in agent["skills"]]
    AgentLimits.model_validate(agent["limits"])

    assert findings(skills, {}) == ()
    assert "\n".join(drawn(PlanGraph.of(skills))) == drawing.rstrip("\n")
