"""What stays word for word when notes take the place of older turns."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from omniforge.execution.disclosure import LOAD_SKILL
from omniforge.journal.steps import Step, StepKind, StepStatus
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.wording import listed, shortened, shown

_BY_PEOPLE = frozenset({"rejected", "skipped"})


def kept(steps: Iterable[Step], registry: ToolRegistry, room: int, for_skills: int) -> str:
    """What people said and decided, effects with their ids, and loaded skills, as sections of a text.

    Taken from the record, not from the conversation, so nothing that was said can make one up. Each of
    the first three gets at most `room` characters, the skills get `for_skills`; the latest come first.
    """
    recorded = list(steps)
    calls = [step for step in recorded if step.kind is StepKind.TOOL]
    sections = {
        "Messages from people": _latest(list(_messages(recorded)), room),
        "Decisions of people": _latest(list(_decisions(calls, registry)), room),
        "Calls that change something outside": _latest(list(_effects(calls)), room),
        "Skills that you loaded": list(_loaded(calls, for_skills)),
    }
    return "\n\n".join(
        f"## {title}\n\n" + "\n".join(lines) for title, lines in sections.items() if lines
    )


def _latest(lines: Sequence[str], room: int) -> list[str]:
    taken: list[str] = []
    for line in reversed(lines):
        room -= len(line)
        if room < 0:
            taken.append(f"- {len(lines) - len(taken)} more before these")
            break
        taken.append(line)
    return taken[::-1]


def _messages(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.kind is StepKind.MESSAGE:
            yield f"- {step.answer['by']}: {step.answer['text']}"


def _decisions(calls: Sequence[Step], registry: ToolRegistry) -> Iterator[str]:
    for step in calls:
        if step.error is not None and step.error.code in _BY_PEOPLE:
            yield f"- {_call(step)}: {step.error.message}"
        tool = registry.get(step.name)
        if tool is not None and tool.spec.waits_for == "input" and step.answer is not None:
            yield f"- {_call(step)}: {shown(step.answer, 2_000)}"


def _effects(calls: Sequence[Step]) -> Iterator[str]:
    for step in calls:
        if step.effect_class is not None:
            known_as = f" (effect id {step.effect_id})" if step.effect_id else ""
            yield f"- {_call(step)}{known_as}: {_outcome(step)}"


def _outcome(step: Step) -> str:
    if step.error is not None and step.error.code in _BY_PEOPLE:
        return step.error.message
    match step.status:
        case StepStatus.CONFIRMED:
            return "done, do not repeat it"
        case StepStatus.FAILED:
            return "refused, nothing happened"
        case _:
            return "nobody knows whether it happened"


def _loaded(calls: Sequence[Step], room: int) -> Iterator[str]:
    latest = {_call(step): step.answer for step in calls if _is_loaded(step)}
    left_out = []
    for call, answer in reversed(latest.items()):
        text = answer if isinstance(answer, str) else _body(answer)
        room -= len(text)
        if room < 0:
            left_out.append(call)
        else:
            yield f"{call}:\n\n{text}\n"
    if left_out:
        yield f"Too long to be kept; load again when needed: {listed(left_out)}"


def _is_loaded(step: Step) -> bool:
    return step.name == LOAD_SKILL and step.status is StepStatus.CONFIRMED


def _body(answer: Any) -> str:
    files = f"\n\nIts files: {', '.join(answer['files'])}" if answer["files"] else ""
    return f"{answer['instructions']}{files}"


def _call(step: Step) -> str:
    arguments = json.dumps(step.arguments, ensure_ascii=False, default=str)
    return f"{step.name} {shortened(arguments, 400)}"
