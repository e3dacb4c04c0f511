"""What one pass through a skill can cost, from its text and the prices of its models."""

from decimal import Decimal

from omniforge.agents.config import AgentLimits, SkillReference
from omniforge.execution.autonomous import AutonomousConfig
from omniforge.execution.model_call.forecast import LONGEST_ANSWER, Forecaster
from omniforge.llm.protocol import LLM
from omniforge.skills.document import Skill
from tests.support.requirements import requirement
from tests.support.scripted import ScriptedLLM

TEXT = Skill(name="report", description="Reports.", body="Read, think, answer. " * 600)
A_TOKEN = Decimal("0.000001")


def forecaster(llm: LLM, *fallbacks: str) -> Forecaster:
    return Forecaster(lambda: llm, fallbacks, 64_000)


def a_place(**more: object) -> SkillReference:
    return SkillReference.model_validate({"name": "report", **more})


@requirement("BUD-4")
def test_figures_rise_from_one_short_answer_to_all_turns_at_their_dearest() -> None:
    llm = ScriptedLLM(A_TOKEN).takes(32_000)
    made = forecaster(llm).of(TEXT, a_place(), AgentLimits(max_iterations=10))

    assert made.models == ("scripted-1",)
    assert made.costs is not None
    assert made.costs.least == A_TOKEN  # what is read from its cache costs nothing here
    assert made.costs.least < made.costs.expected < made.costs.most
    assert made.calls_at_most == 20
    assert made.costs.most == 20 * (32_000 + 8_000) * A_TOKEN


def test_the_longest_answer_is_the_one_that_executors_allow() -> None:
    assert AutonomousConfig().max_tokens == LONGEST_ANSWER


def test_the_model_is_that_of_the_place_then_of_the_skill_then_the_default() -> None:
    own = Skill(name="report", description="Reports.", body="x", model="m-skill")
    made = forecaster(ScriptedLLM(), "m-other")

    assert made.of(TEXT, a_place(), AgentLimits()).models == ("scripted-1", "m-other")
    assert made.of(own, a_place(), AgentLimits()).models == ("m-skill", "m-other")
    place = a_place(model="m-place", fallback_models=("m-a", "m-place"))
    assert made.of(own, place, AgentLimits()).models == ("m-place", "m-a")


class Partly(ScriptedLLM):
    """Knows the price of one model alone."""

    def price(self, model: str, usage: object) -> Decimal | None:
        return Decimal(1) if model == self.default_model else None


@requirement("BUD-4")
def test_one_unknown_price_among_its_models_leaves_a_skill_without_figures() -> None:
    made = forecaster(Partly(), "m-unknown").of(TEXT, a_place(), AgentLimits())

    assert (made.costs, made.unpriced) == (None, "m-unknown")
