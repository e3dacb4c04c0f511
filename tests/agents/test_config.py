"""What an agent's description may look like."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from omniforge import clock
from omniforge.agents.config import AgentConfig, AgentLimits, SkillReference
from omniforge.agents.runs import ErrorInfo, RunStatus, TokenUsage


def test_a_skills_id_is_its_name_unless_it_has_another() -> None:
    assert SkillReference(name="read").id == "read"
    assert SkillReference(name="read", id="read-again").id == "read-again"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Not A Name"},
        {"name": "read", "order": -1},
        {"name": "read", "timeout_s": 0},
        {"name": "read", "unheard-of": True},
        {"name": "read", "id": "../up"},
    ],
    ids=str,
)
def test_a_skill_reference_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SkillReference(**fields)


def test_an_agent_without_skills_is_refused() -> None:
    at = clock.now()
    with pytest.raises(ValidationError, match="at least one skill"):
        AgentConfig(
            id="ag_1", tenant_id="tn_1", name="a", skills=(), created_by="u", created_at=at,
            updated_at=at,
        )  # fmt: skip


@pytest.mark.parametrize("budget", [0, -1, "100001", "NaN"])
def test_a_budget_is_a_sum_of_money(budget: Any) -> None:
    with pytest.raises(ValidationError):
        AgentLimits(budget_usd=budget)
    assert AgentLimits(budget_usd=Decimal("0.000001")).budget_usd == Decimal("0.000001")


def test_usage_adds_up() -> None:
    one = TokenUsage(input_tokens=1, output_tokens=2, model_calls=1)

    assert one + TokenUsage(input_tokens=4, tool_calls=1) == TokenUsage(
        input_tokens=5, output_tokens=2, model_calls=1, tool_calls=1
    )


def test_four_statuses_are_final() -> None:
    assert {status.value for status in RunStatus if status.is_final} == {
        "completed",
        "failed",
        "cancelled",
        "timed_out",
    }


def test_an_error_can_be_stored_whatever_it_says() -> None:
    assert ErrorInfo(code="x", message="a\0b\ud800").message == "a\N{REPLACEMENT CHARACTER}b?"
