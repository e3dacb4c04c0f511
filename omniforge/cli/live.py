"""A run's events as lines for people: coloured on a terminal, the same text anywhere else."""

import json
from collections.abc import Callable
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from omniforge.cli.approvals import command
from omniforge.cli.output import one_line, shortened
from omniforge.errors import CallExcluded
from omniforge.journal.events import (
    ApprovalEscalated,
    ApprovalReminded,
    BudgetRaised,
    BudgetWarning,
    ConversationCompacted,
    DecisionMade,
    Event,
    FireSkipped,
    ItemsFound,
    ModelAnswered,
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
)
from omniforge.journal.ports import APPROVAL_KINDS

_ARGUMENTS_SHOWN = 70
_TEXT_SHOWN = 110
_TEXT_KEPT = 1_000  # characters; more than a line has
_BACK = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


class LiveView:
    """Prints one line an event. Feed it a run's events in order, from the first one it should show.

    On a terminal, the line under the last one shows the end of what a model is writing.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = 0
        self._arguments: dict[tuple[str | None, int], Any] = {}
        self._waiting: set[str | None] = set()
        self._coming: dict[str | None, str] = {}
        self._has_coming_line = False

    def show(self, event: Event) -> None:
        if isinstance(event.body, TextDelta | TextReset):
            self._show_coming(event.node, event.body)
            return
        self._coming.pop(event.node, None)
        render: Callable[[Event, Any], Text] = getattr(self, f"_{event.body.type}")
        line = Text.assemble((f"{event.at.astimezone():%H:%M:%S}  ", "dim"))
        if event.node is not None:
            self._width = max(self._width, len(event.node))
            line.append(f"{event.node:<{self._width}}  ", "cyan")
        self._print(line.append_text(render(event, event.body)))

    def mark(self, text: str, style: str = "bold yellow") -> None:
        """A line of its own between the events."""
        self._print(Text(text, style))

    def _show_coming(self, node: str | None, body: TextDelta | TextReset) -> None:
        if not self._console.is_terminal:
            return
        text = self._coming.get(node, "") + body.text if isinstance(body, TextDelta) else ""
        self._coming[node] = text[-_TEXT_KEPT:]
        name = f"{node or '':<{self._width}}  "
        shown = _end_of(one_line(text), self._console.width - cell_len(name) - 1)
        self._take_back()
        self._console.print(Text.assemble((name, "cyan"), (shown, "dim")), end="")
        self._has_coming_line = True

    def _take_back(self) -> None:
        if self._has_coming_line:
            self._console.control(_BACK)
            self._has_coming_line = False

    def _print(self, line: Text) -> None:
        self._take_back()
        if self._console.is_terminal:
            self._console.print(line, no_wrap=True, overflow="ellipsis", soft_wrap=False)
        else:
            self._console.print(line, soft_wrap=True)

    def _run_queued(self, _: Event, body: RunQueued) -> Text:
        return Text(f"queued, position {body.position}", "yellow")

    def _run_started(self, _: Event, body: RunStarted) -> Text:
        self._width = max(map(len, body.skills), default=0)
        name, skills = one_line(body.agent_name), ", ".join(body.skills)
        mode = "" if body.mode == "live" else f" ({body.mode.replace('_', ' ')})"
        return Text.assemble((f"{name} v{body.agent_version}{mode}", "bold"), f" starts: {skills}")

    def _skill_started(self, _: Event, __: SkillStarted) -> Text:
        return Text("started", "bold")

    def _skill_resumed(self, event: Event, body: SkillResumed) -> Text:
        place = f"segment {body.segment}, attempt {body.attempt}"
        steps = f"{body.recorded_steps} recorded steps"
        if event.node in self._waiting:
            self._waiting.discard(event.node)
            return Text(f"goes on after its wait, with {steps} ({place})", "bold")
        if body.attempt == 1:  # a new segment: nobody was lost
            return Text(f"goes on, with {steps} ({place})", "bold")
        return Text(f"RESUMED after {steps} ({place}): its worker was lost", "bold yellow")

    def _model_answered(self, event: Event, body: ModelAnswered) -> Text:
        for call in body.calls:
            self._arguments[event.node, call.step] = call.arguments
        said = one_line(body.text) or "calls " + ", ".join(call.tool for call in body.calls)
        if body.error is not None:
            said = f"failed: {one_line(body.error.message)}"
        passed_over = "".join(f"instead of {one.model}: " for one in body.passed_over)
        cost = f"  ${body.cost_usd.normalize():f}" if body.cost_usd else ""
        return Text.assemble(
            _numbered(body.step, body.duration_ms),
            (f"{body.model or 'model'}: ", "magenta"),
            (passed_over, "yellow"),
            (shortened(said, _TEXT_SHOWN), "red" if body.error else ""),
            (cost, "dim"),
        )

    def _tools_left_out(self, event: Event, body: ToolsLeftOut) -> Text:
        return Text(f"begins without some tools: {one_line('; '.join(body.problems))}", "yellow")

    def _tool_answered(self, event: Event, body: ToolAnswered) -> Text:
        asked = self._arguments.pop((event.node, body.step), None)
        arguments = _briefly(body.edit.arguments if body.edit else asked)
        line = Text.assemble(
            _numbered(body.step, body.duration_ms), (body.tool, "blue"), f" {arguments}"
        )
        if body.error_code == CallExcluded.code:
            line.append(
                f"  not tried again: {shortened(one_line(body.summary), _TEXT_SHOWN)}", "red"
            )
        elif not body.success:
            line.append(f"  failed: {shortened(one_line(body.summary), _TEXT_SHOWN)}", "red")
        elif body.effect:
            line.append(f"  effect: {one_line(body.effect)}", "yellow")
        if body.edit is not None:
            line.append(f"  changed by {one_line(body.edit.by)}", "yellow")
        if body.origin != "real":
            line.append(f"  ({one_line(body.origin)})", "magenta")
        return line

    def _conversation_compacted(self, _: Event, body: ConversationCompacted) -> Text:
        how = "summed up" if body.by == "model" else "cut down to an extract"
        said = f"the conversation was long (some {body.tokens:,} tokens): {body.turns} turns {how}"
        return _numbered(body.step, body.duration_ms).append(said, "yellow")

    def _skill_skipped(self, _: Event, body: SkillSkipped) -> Text:
        return Text(f"skipped: {one_line(body.reason)}", "yellow")

    def _items_found(self, _: Event, body: ItemsFound) -> Text:
        return Text(f"runs for each of {body.items} items")

    def _skill_completed(self, _: Event, __: SkillCompleted) -> Text:
        return Text("completed", "bold green")

    def _skill_failed(self, _: Event, body: SkillFailed) -> Text:
        return Text(f"failed: {one_line(body.error.message)}", "bold red")

    def _skill_waiting(self, event: Event, body: SkillWaiting) -> Text:
        self._waiting.add(event.node)
        if all(wait.kind == "budget" for wait in body.waits):
            why = " ".join(one_line(wait.question) for wait in body.waits)
            return Text(f"waits for money: {why}", "bold yellow")
        asked = [wait for wait in body.waits if wait.kind in APPROVAL_KINDS]
        if not asked:
            why = "; ".join(one_line(wait.question) for wait in body.waits)
            return Text(f"waits: {why}", "yellow")
        questions = "; ".join(f"{one_line(wait.question)} ({wait.id})" for wait in asked)
        decide = command(asked[0].id, APPROVAL_KINDS[asked[0].kind])
        return Text(f"waits for a person: {questions} Decide: {decide}", "bold yellow")

    def _approval_reminded(self, _: Event, body: ApprovalReminded) -> Text:
        return Text(f"still waits for a decision ({body.id})", "bold yellow")

    def _approval_escalated(self, _: Event, body: ApprovalEscalated) -> Text:
        to = one_line(body.to)
        return Text(f"still waits for a decision, now called: {to} ({body.id})", "bold yellow")

    def _budget_warning(self, _: Event, body: BudgetWarning) -> Text:
        return Text(f"money is short: {body.short.sentence(body.run_id)} ({body.run_id})", "yellow")

    def _budget_raised(self, _: Event, body: BudgetRaised) -> Text:
        return Text(f"may spend ${body.cap_usd:f} now, as {one_line(body.by)} wants it", "bold")

    def _decision_made(self, _: Event, body: DecisionMade) -> Text:
        return Text(f"decided by {one_line(body.decided_by)}: {body.decision} ({body.id})", "bold")

    def _run_controlled(self, _: Event, body: RunControlled) -> Text:
        what = {"pause": "paused", "stop": "stopped after its step", "go_on": "told to go on"}
        why = f": {one_line(body.note)}" if body.note else ""
        return Text(f"{what[body.wish]} by {one_line(body.by)}{why}", "bold yellow")

    def _fire_skipped(self, _: Event, body: FireSkipped) -> Text:
        when = body.scheduled_at.astimezone().strftime("%Y-%m-%d %H:%M")
        return Text(f"its schedule was due again at {when}, and was skipped", "yellow")

    def _steered(self, _: Event, body: Steered) -> Text:
        said = shortened(one_line(body.text), _TEXT_SHOWN)
        return Text.assemble(
            (f"{body.step:>3} ", "bold"), (f"{one_line(body.by)} says: {said}", "")
        )

    def _run_retried(self, _: Event, body: RunRetried) -> Text:
        return Text(f"taken up again by {one_line(body.by)}", "bold")

    def _run_finished(self, _: Event, body: RunFinished) -> Text:
        style = "bold green" if body.status == "completed" else "bold red"
        why = f": {one_line(body.error.message)}" if body.error else ""
        return Text(f"run {body.status}{why}", style)


def _numbered(step: int, duration_ms: int) -> Text:
    return Text.assemble((f"{step:>3} ", "bold"), (f"{took(duration_ms / 1000):>7}  ", "dim"))


def took(seconds: float) -> str:
    """A duration as people say it: `12 ms`, `3.4 s`, `5 min 10 s`."""
    if seconds < 0.1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _end_of(text: str, cells: int) -> str:
    """As much of a text's end as fits; some characters are two cells wide."""
    end = text[-max(cells, 1) :]
    while cell_len(end) > max(cells, 1):
        end = end[1:]
    return end


def _briefly(arguments: Any) -> str:
    if not isinstance(arguments, dict):
        return shortened(one_line(json.dumps(arguments, ensure_ascii=False)), _ARGUMENTS_SHOWN)
    said = ((name, json.dumps(value, ensure_ascii=False)) for name, value in arguments.items())
    pairs = (
        f"{name}={shortened(value, 32)}" for name, value in said if value not in ('""', "null")
    )
    return shortened(one_line(", ".join(pairs)), _ARGUMENTS_SHOWN)
