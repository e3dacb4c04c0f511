"""The form in which two runs are compared."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from omniforge import clock
from omniforge.agents.runs import ErrorInfo
from omniforge.journal.canonical import RUN, canonical, first_difference
from omniforge.journal.events import (
    DecisionMade,
    Event,
    EventBody,
    RunFinished,
    RunStarted,
    SkillCompleted,
    SkillFailed,
    SkillResumed,
    SkillStarted,
    ToolAnswered,
)
from tests.support.requirements import requirement


def events(*told: tuple[str | None, EventBody], stream: str = "ex_1") -> list[Event]:
    at = clock.now() if stream == "ex_1" else clock.now() + timedelta(days=1)
    return [
        Event(stream_id=stream, seq=seq, node=node, at=at, body=body)
        for seq, (node, body) in enumerate(told, 1)
    ]


def called(step: int, **more: Any) -> ToolAnswered:
    values = {"tool": "t", "success": True, "summary": "ok", "duration_ms": step, **more}
    return ToolAnswered(step=step, **values)


@requirement("DUR-5")
def test_the_way_a_run_took_is_left_out() -> None:
    started = RunStarted(agent_id="ag", agent_name="old", agent_version=1, skills=("a", "b"))
    resumed = SkillResumed(skill_name="a", segment=0, attempt=2, recorded_steps=1)
    one = events(
        (None, started),
        ("a", SkillStarted(skill_name="a")),
        ("b", SkillStarted(skill_name="b")),
        ("a", called(2)),
        ("a", resumed),
        ("a", DecisionMade(id="x", decision="skip", decided_by="ann")),
        ("a", called(1)),
        ("a", SkillCompleted(skill_name="a", cost_usd=Decimal("0.10"))),
        (None, RunFinished(status="completed", cost_usd=Decimal("0.10"))),
    )
    other = events(
        (None, started.model_copy(update={"agent_name": "new"})),
        ("b", SkillStarted(skill_name="b")),
        ("a", SkillStarted(skill_name="a")),
        ("a", called(1, origin="recorded", duration_ms=9)),
        ("a", called(2, origin="recorded", duration_ms=9)),
        ("a", SkillCompleted(skill_name="a", cost_usd=Decimal("0.1"))),
        (None, RunFinished(status="completed")),
        stream="ex_2",
    )

    assert canonical(one) == canonical(other)
    assert [body["type"] for body in canonical(one)["a"]] == [
        "skill_started",
        "tool_answered",
        "tool_answered",
        "skill_completed",
    ]


@requirement("DUR-5")
def test_the_first_difference_is_told_with_both_sides() -> None:
    failed = SkillFailed(skill_name="a", error=ErrorInfo(code="x", message="no"))
    one = canonical(events(("a", called(1)), ("a", failed), (None, RunFinished(status="failed"))))
    other = canonical(events(("a", called(1)), (None, RunFinished(status="completed"))))

    found = first_difference(one, other)
    back = first_difference(other, one)

    assert found is not None
    assert back is not None
    assert (found.node, found.place, found.theirs) == ("a", 1, None)
    assert (found.ours or {})["error"]["code"] == "x"
    assert back.theirs == found.ours
    assert first_difference({RUN: one[RUN]}, {RUN: other[RUN]}) is not None
    assert first_difference(one, one) is None
