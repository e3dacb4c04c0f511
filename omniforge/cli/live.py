"""A run's events as lines for people: coloured on a terminal, the same text anywhere else."""

import json
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from omniforge.cli.output import one_line, shortened
from omniforge.journal.events import (
    DecisionMade,
    Event,
    ModelAnswered,
    RunFinished,
    RunStarted,
    SkillCompleted,
    SkillFailed,
    SkillResumed,
    SkillStarted,
    SkillWaiting,
    ToolAnswered,
)

_ARGUMENTS_SHOWN = 70
_TEXT_SHOWN = 110


class LiveView:
    """Prints one line an event. Feed it a run's events in order, from the first one it should show."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = 0
        self._arguments: dict[tuple[str | None, int], Any] = {}
        self._waiting: set[str | None] = set()

    def show(self, event: Event) -> None:
        render: Callable[[Event, Any], Text] = getattr(self, f"_{event.body.type}")
        line = Text.assemble((f"{event.at.astimezone():%H:%M:%S}  ", "dim"))
        if event.node is not None:
            self._width = max(self._width, len(event.node))
            line.append(f"{event.node:<{self._width}}  ", "cyan")
        self._print(line.append_text(render(event, event.body)))

    def mark(self, text: str, style: str = "bold yellow") -> None:
        """A line of its own between the events."""
        self._print(Text(text, style))

    def _print(self, line: Text) -> None:
        if self._console.is_terminal:
            self._console.print(line, no_wrap=True, overflow="ellipsis", soft_wrap=False)
        else:
            self._console.print(line, soft_wrap=True)

    def _run_started(self, _: Event, body: RunStarted) -> Text:
        self._width = max(map(len, body.skills), default=0)
        name, skills = one_line(body.agent_name), ", ".join(body.skills)
        return Text.assemble((f"{name} v{body.agent_version}", "bold"), f" starts: {skills}")

    def _skill_started(self, _: Event, __: SkillStarted) -> Text:
        return Text("started", "bold")

    def _skill_resumed(self, event: Event, body: SkillResumed) -> Text:
        place = f"segment {body.segment}, attempt {body.attempt}"
        steps = f"{body.recorded_steps} recorded steps"
        if event.node in self._waiting:
            self._waiting.discard(event.node)
            return Text(f"goes on after its wait, with {steps} ({place})", "bold")
        return Text(f"RESUMED after {steps} ({place}): its worker was lost", "bold yellow")

    def _model_answered(self, event: Event, body: ModelAnswered) -> Text:
        for call in body.calls:
            self._arguments[event.node, call.step] = call.arguments
        said = one_line(body.text) or "calls " + ", ".join(call.tool for call in body.calls)
        cost = f"  ${body.cost_usd.normalize():f}" if body.cost_usd else ""
        return Text.assemble(
            _numbered(body.step, body.duration_ms),
            (f"{body.model}: ", "magenta"),
            shortened(said, _TEXT_SHOWN),
            (cost, "dim"),
        )

    def _tool_answered(self, event: Event, body: ToolAnswered) -> Text:
        arguments = _briefly(self._arguments.pop((event.node, body.step), None))
        line = Text.assemble(
            _numbered(body.step, body.duration_ms), (body.tool, "blue"), f" {arguments}"
        )
        if not body.success:
            line.append(f"  failed: {shortened(one_line(body.summary), _TEXT_SHOWN)}", "red")
        elif body.effect:
            line.append(f"  effect: {one_line(body.effect)}", "yellow")
        return line

    def _skill_completed(self, _: Event, __: SkillCompleted) -> Text:
        return Text("completed", "bold green")

    def _skill_failed(self, _: Event, body: SkillFailed) -> Text:
        return Text(f"failed: {one_line(body.error.message)}", "bold red")

    def _skill_waiting(self, event: Event, body: SkillWaiting) -> Text:
        self._waiting.add(event.node)
        asked = "; ".join(f"{one_line(wait.question)} ({wait.id})" for wait in body.waits)
        decide = " Decide: omniforge approvals decide ID happened|resend|skip"
        return Text(f"waits for a person: {asked}{decide}", "bold yellow")

    def _decision_made(self, _: Event, body: DecisionMade) -> Text:
        return Text(f"decided by {one_line(body.decided_by)}: {body.decision} ({body.id})", "bold")

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


def _briefly(arguments: Any) -> str:
    if not isinstance(arguments, dict):
        return shortened(one_line(json.dumps(arguments, ensure_ascii=False)), _ARGUMENTS_SHOWN)
    said = ((name, json.dumps(value, ensure_ascii=False)) for name, value in arguments.items())
    pairs = (
        f"{name}={shortened(value, 32)}" for name, value in said if value not in ('""', "null")
    )
    return shortened(one_line(", ".join(pairs)), _ARGUMENTS_SHOWN)
