"""How the events of a run read."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

import pytest
from rich.console import Console

from omniforge.agents.budgets import Period, Scope, Shortfall
from omniforge.agents.runs import ErrorInfo
from omniforge.cli.live import LiveView, took
from omniforge.journal.events import (
    ApprovalEscalated,
    ApprovalReminded,
    BudgetRaised,
    BudgetWarning,
    CallSummary,
    ConversationCompacted,
    DecisionMade,
    Event,
    EventBody,
    FireSkipped,
    ItemsFound,
    ModelAnswered,
    PassedOver,
    RunControlled,
    RunFinished,
    RunQueued,
    RunRetried,
    RunStarted,
    SkillCompleted,
    SkillFailed,
    SkillResumed,
    SkillSkipped,
    SkillStarted,
    SkillWaiting,
    Steered,
    TextDelta,
    TextReset,
    ToolAnswered,
    ToolsLeftOut,
    Wait,
)
from tests.support.requirements import requirement

CALL = CallSummary(step=2, tool="table_query", arguments={"path": "tasks.csv", "today": ""})
ASKED = ModelAnswered(
    step=1, model="m", text="", calls=(CALL,), duration_ms=1500, cost_usd=Decimal("0.0120")
)
ANSWERED = ToolAnswered(
    step=2, tool="table_query", success=True, summary="{}", duration_ms=12, effect="of-1"
)
REFUSED = ANSWERED.model_copy(update={"success": False, "summary": "no\nsuch file"})
WAITING = SkillWaiting(
    skill_name="find", waits=(Wait(kind="effect", id="ap_1", question="Was it sent?"),)
)
RESUMED = SkillResumed(skill_name="find", segment=0, attempt=2, recorded_steps=5)
COMPACTED = ConversationCompacted(step=7, turns=24, tokens=160_000, by="model", duration_ms=2000)
LOST = ErrorInfo(code="x", message="The model is gone.")
SHORT = Shortfall(
    scope=Scope.RUN,
    subject="ex_1",
    period=Period.EVER,
    cap_usd=Decimal(1),
    left_usd=Decimal("0.03"),
    needs_usd=Decimal("0.12"),
)


def shown(*bodies: object, width: int | None = None) -> list[str]:
    return written(*bodies, width=width).splitlines()


def written(*bodies: object, width: int | None = None) -> str:
    out = io.StringIO()
    view = LiveView(Console(file=out, force_terminal=width is not None, width=width))
    for seq, body in enumerate(bodies, 1):
        node = None if isinstance(body, RunQueued | RunStarted | RunFinished) else "find"
        at = datetime(2026, 11, 20, 9, tzinfo=UTC)
        view.show(
            Event.model_validate(
                {"stream_id": "ex", "seq": seq, "node": node, "at": at, "body": body}
            )
        )
    return out.getvalue()


LINES = [
    (RunQueued(position=3), "queued, position 3"),
    (
        RunStarted(agent_id="a", agent_name="Agent", agent_version=3, skills=("find",)),
        "Agent v3 starts: find",
    ),
    (SkillStarted(skill_name="find"), "find  started"),
    (ASKED, "find    1   1.5 s  m: calls table_query  $0.012"),
    (ANSWERED, "find    2   12 ms  table_query null  effect: of-1"),
    (REFUSED, "find    2   12 ms  table_query null  failed: no such file"),
    (
        COMPACTED,
        "find    7   2.0 s  the conversation was long (some 160,000 tokens): 24 turns summed up",
    ),
    (
        ToolsLeftOut(problems=("docs: the schema of 'a' is broken", "docs: 'b' is listed twice")),
        "find  begins without some tools: docs: the schema of 'a' is broken; docs: 'b' is listed",
    ),
    (SkillCompleted(skill_name="find"), "find  completed"),
    (SkillFailed(skill_name="find", error=LOST), "find  failed: The model is gone."),
    (WAITING, "find  waits for a person: Was it sent? (ap_1) Decide: omniforge approvals decide"),
    (ApprovalReminded(id="ap_1"), "find  still waits for a decision (ap_1)"),
    (
        ApprovalEscalated(id="ap_1", to="Bo"),
        "find  still waits for a decision, now called: Bo (ap_1)",
    ),
    (
        DecisionMade(id="ap_1", decision="skip", decided_by="Ann"),
        "find  decided by Ann: skip (ap_1)",
    ),
    (
        SkillWaiting(
            skill_name="find",
            waits=(Wait(kind="budget", id="b1", question="Not enough.", short=SHORT),),
        ),
        "find  waits for money: Not enough.",
    ),
    (
        BudgetWarning(run_id="ex_2", short=SHORT),
        "find  money is short: The next model call may cost up to $0.12; $0.03 of the $1 of run ex_1,",
    ),
    (BudgetRaised(cap_usd=Decimal(2), by="us_anna"), "find  may spend $2 now, as us_anna wants it"),
    (
        RunControlled(wish="pause", by="us_anna", note="lunch"),
        "find  paused by us_anna: lunch",
    ),
    (
        FireSkipped(schedule_id="sc_1", scheduled_at=datetime(2027, 1, 31, 12, tzinfo=UTC)),
        "find  its schedule was due again at 2027-01-31 ",
    ),
    (Steered(step=4, text="be\nbrief", by="us_anna"), "find    4 us_anna says: be brief"),
    (RunRetried(generation=1, by="us_anna"), "find  taken up again by us_anna"),
    (SkillSkipped(skill_name="find", reason="Not now."), "find  skipped: Not now."),
    (ItemsFound(skill_name="find", items=3), "find  runs for each of 3 items"),
    (RESUMED, "find  RESUMED after 5 recorded steps (segment 0, attempt 2): its worker was lost"),
    (RunFinished(status="failed", error=LOST), "run failed: The model is gone."),
]


@pytest.mark.parametrize(("body", "text"), LINES, ids=lambda each: getattr(each, "type", ""))
def test_every_kind_of_event_is_one_plain_line(body: object, text: str) -> None:
    (line,) = shown(body)

    assert line.split("  ", 1)[1].startswith(text)
    assert "\x1b" not in line


def test_there_is_a_line_for_every_kind_that_lasts() -> None:
    kinds = get_args(get_args(EventBody)[0])

    assert {type(body) for body, _ in LINES} == set(kinds) - {TextDelta, TextReset}


COMING = TextDelta(step=1, text="Let me ")
MORE = TextDelta(step=1, text="see\n\x1b[2J 了解しました")


def test_text_is_shown_as_it_comes_and_makes_room_for_the_whole_answer() -> None:
    coming, whole = written(COMING, MORE, ASKED, width=80).rsplit("\r\x1b[2K", 1)

    assert "Let me see [2J 了解しました" in coming
    assert "\n" not in coming
    assert "calls table_query" in whole


def test_what_does_not_fit_is_cut_at_its_beginning() -> None:
    text = written(TextDelta(step=1, text="了" * 100 + "x" * 5), width=40)

    assert text.count("了") == 14
    assert "xxxxx" in text


def test_a_text_that_counts_no_more_is_taken_back() -> None:
    coming, left = written(COMING, TextReset(step=1), width=40).rsplit("\r\x1b[2K", 1)

    assert "Let me" in coming
    assert "Let me" not in left


def test_without_a_terminal_only_whole_answers_are_shown() -> None:
    assert len(shown(COMING, TextReset(step=1), COMING, ASKED)) == 1


def test_a_model_that_failed_or_was_passed_over_is_shown() -> None:
    passed = PassedOver(model="claude-x", error=LOST)
    (failed,) = shown(ASKED.model_copy(update={"error": LOST, "calls": ()}))
    (answered,) = shown(ASKED.model_copy(update={"passed_over": (passed,)}))

    assert "failed: The model is gone." in failed
    assert "m: instead of claude-x: calls" in answered


def test_a_tool_is_shown_with_what_it_was_called_with() -> None:
    _, line = shown(ASKED, ANSWERED)

    assert 'table_query path="tasks.csv"  effect' in line


@requirement("DUR-4")
def test_going_on_after_a_wait_is_no_lost_worker() -> None:
    _, line = shown(WAITING, RESUMED)

    assert "goes on after its wait" in line
    assert "lost" not in line


def test_codes_that_a_terminal_would_obey_are_taken_out() -> None:
    (line,) = shown(ASKED.model_copy(update={"text": "\x1b[2Jboo\r\nhoo\u202e"}))

    assert line.endswith("m: [2Jboo hoo  $0.012")


def test_on_a_terminal_lines_are_coloured_and_never_wrap() -> None:
    lines = shown(ASKED.model_copy(update={"text": "long " * 50}), width=60)

    assert len(lines) == 1
    assert "\x1b[" in lines[0]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0121, "12 ms"), (0.4, "0.4 s"), (99.94, "99.9 s"), (310, "5 min 10 s")]
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert took(seconds) == text
