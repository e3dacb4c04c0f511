"""The main job end to end, with its worker killed on the way: `python -m dev demo`."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dev import temporal_server
from dev.environment import ROOT
from dev.errors import AlreadyRunning
from dev.platform import Platform
from dev.up import cancel_on_signals, say
from omniforge.cli.live import LiveView, took
from omniforge.client import OmniForgeClient, Run, Step, Upload, read_upload
from omniforge.errors import Conflict, OmniForgeError, Rejected
from omniforge.journal.events import Event
from omniforge.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLE = ROOT / "examples" / "overdue-tasks"
_AGENT = "overdue-tasks-demo"
_REPORT = "report.md"

# Seconds for all of it; taking the platform down comes on top, and is bounded by the supervisor.
_LIMIT = 110.0

# Seconds the offline model takes for an answer. Without it, the demo is over in the blink of an eye.
_PACE = 0.4

# The worker is killed after this step of the second skill, while the next one is being worked on.
_KILL_AFTER_STEP = 3

_STEP_EVENTS = ("model_answered", "tool_answered")


class DemoFailed(Rejected):
    """The demo did not show what it is there to show. The message says what is missing."""

    code = "demo_failed"


@dataclass
class Crash:
    """What was seen around the death of the worker. Times are of the monotonic clock."""

    worker: int = 0
    killed: float | None = None
    resumed: float | None = None
    next_step: float | None = None
    before: Sequence[Step] = ()
    events: list[str] = field(default_factory=list)


async def demo(file: Path | None, console: "Console") -> int:
    """Show the main job; the exit status. Anything that is not as it should be makes it 1."""
    cancel_on_signals()
    try:
        async with asyncio.timeout(_LIMIT):
            await _perform(_table(file), console)
    except asyncio.CancelledError:
        say(console, "Stopped.")
        return 130
    except TimeoutError:
        say(console, f"The demo FAILED: it had not ended after {_LIMIT:g} s.")
        return 1
    except OmniForgeError as error:
        say(console, f"The demo FAILED: {error.message}")
        return 1
    return 0


def _table(file: Path | None) -> Path:
    chosen = file or EXAMPLE / "tasks.csv"
    if not chosen.is_file():
        raise DemoFailed(f"{chosen} is not a file. Name a table: a CSV or JSON export of tasks.")
    return chosen


async def _perform(table: Path, console: "Console") -> None:
    began = time.monotonic()
    async with _platform(console) as platform:
        say(console, f"Temporal, worker and API are up after {took(time.monotonic() - began)}.")
        known = platform.credentials
        async with OmniForgeClient(known.api_key, known.api_url) as client:
            await _show(client, platform, table, console)
    say(console, f"All processes have ended; the data stays in {platform.home}.")
    say(console, f"The demo took {took(time.monotonic() - began)}.")


@asynccontextmanager
async def _platform(console: "Console") -> AsyncIterator[Platform]:
    """The platform of the usual home or, beside one that runs there, of a home of its own."""
    usual = load_settings()
    try:
        async with _started(_settings(usual), console) as platform:
            yield platform
    except AlreadyRunning as error:
        if error.details["home"] != str(usual.home.absolute()):
            raise
        async with _started(_settings_beside(usual), console) as platform:
            yield platform


@asynccontextmanager
async def _started(settings: Settings, console: "Console") -> AsyncIterator[Platform]:
    async with Platform.start(settings, lambda line: say(console, f"   ({line})")) as platform:
        say(console, f"Demo in {platform.home}. {_about_model(settings)}")
        yield platform


def _settings(usual: Settings, **changed: object) -> Settings:
    """Without a provider chosen by name, the demo costs nothing and sends nobody's table anywhere."""
    chosen = {
        "llm_provider": usual.llm_provider or "offline",
        "offline_pace": usual.offline_pace or _PACE,
        **changed,
    }
    return Settings.model_validate({**usual.model_dump(include=usual.model_fields_set), **chosen})


def _settings_beside(usual: Settings) -> Settings:
    """Shares nothing with the platform that runs: neither database nor files nor Temporal."""
    if temporal_server.address_elsewhere() is not None:
        raise Conflict(
            f"A platform runs in {usual.home.absolute()}, and TEMPORAL_ADDRESS would make the demo"
            " share its Temporal server. Unset it, or stop the platform."
        )
    return _settings(usual, home=usual.home / "demo", database_url="", storage=Path())


def _about_model(settings: Settings) -> str:
    if settings.provider != "offline":
        return f"The model is {settings.provider} {settings.llm_model}".rstrip() + "."
    return (
        f"The model is the offline one, slowed down to {settings.offline_pace:g} s an answer to be"
        " watched."
    )


async def _show(
    client: OmniForgeClient, platform: Platform, table: Path, console: "Console"
) -> None:
    upload = read_upload(EXAMPLE)
    agent = await _fresh_agent(client, upload)
    content = table.read_bytes()
    started = await client.agents.run(
        agent, _input(upload, table), files={table.name: content}
    )
    say(console, f"Agent {agent} works on {table} ({len(content)} bytes):\n")
    crash = await _watch_and_kill(client, platform, started.execution_id, LiveView(console))
    run = await client.runs.get(started.execution_id)
    _refuse_unfinished(run, crash)
    report = await client.runs.artifact(run.id, _REPORT)
    _print_report(report.decode(), console)
    _print_figures(run, crash, console)
    _print_proof(await client.runs.steps(run.id), crash, console)


async def _fresh_agent(client: OmniForgeClient, upload: Upload) -> str:
    """The example as a new agent. Those of earlier demos are put away, so that there is one."""
    async for old in client.agents.every():
        if old.name == _AGENT:
            await client.agents.archive(old.id)
    return (await client.agents.create(upload, name=_AGENT, activate=True)).id


def _input(upload: Upload, table: Path) -> Mapping[str, object]:
    """The example's own day belongs to its own table; another table is looked at today."""
    own = table == EXAMPLE / "tasks.csv"
    return upload.example_input if own else {"file": table.name}


async def _watch_and_kill(
    client: OmniForgeClient, platform: Platform, run_id: str, view: LiveView
) -> Crash:
    crash, skills = Crash(), list[str]()
    async for event in client.runs.watch(run_id):
        view.show(event)
        if event.body.type == "run_started":
            skills = list(event.body.skills)
        if crash.killed is not None:
            _note_recovery(event, crash, view)
        elif skills and event.node == skills[-1] and _is_the_moment(event):
            crash.before = await client.runs.steps(run_id)
            crash.worker = platform.pid("worker")
            platform.kill("worker")
            crash.killed = time.monotonic()
            view.mark(f"\n   SIGKILL for the worker (process {crash.worker}) in mid-step.\n", "bold red")
    return crash


def _is_the_moment(event: Event) -> bool:
    """A tool has answered, so the model is being asked for the next step just now."""
    return event.body.type == "tool_answered" and event.body.step >= _KILL_AFTER_STEP


def _note_recovery(event: Event, crash: Crash, view: LiveView) -> None:
    now = time.monotonic()
    if event.body.type == "skill_resumed" and crash.resumed is None:
        crash.resumed = now
    elif event.body.type in _STEP_EVENTS and crash.resumed and crash.next_step is None:
        crash.next_step = now
        view.mark(f"   Back at work {took(now - (crash.killed or now))} after the kill.")


def _refuse_unfinished(run: Run, crash: Crash) -> None:
    if run.status != "completed":
        reached = "" if crash.killed else " The second skill did not get far enough for the kill."
        raise DemoFailed(f"the run {run.status}: {run.error}{reached}")
    if crash.killed is None:
        raise DemoFailed("the second skill ended before its worker could be killed.")
    if crash.resumed is None or crash.next_step is None:
        raise DemoFailed("the run completed, but no new worker was seen to take the skill up.")


def _print_report(text: str, console: "Console") -> None:
    console.rule(_REPORT) if console.is_terminal else say(console, f"\n---- {_REPORT} ----\n")
    if console.is_terminal:
        from rich.markdown import Markdown

        console.print(Markdown(text))
        console.rule()
    else:
        say(console, f"{text.rstrip()}\n\n---- end of {_REPORT} ----")


def _print_figures(run: Run, crash: Crash, console: "Console") -> None:
    killed, usage = crash.killed or 0, run.usage
    tokens = f"{usage.input_tokens} tokens in, {usage.output_tokens} out"
    say(console, f"\nRun       {run.id}: {run.status}")
    say(console, f"Cost      ${run.cost_usd:f}, {tokens}")
    say(console, f"Usage     {usage.model_calls} model calls, {usage.tool_calls} tool calls")
    say(
        console,
        f"Recovery  taken up again {took((crash.resumed or 0) - killed)} after the kill,"
        f" next step {took((crash.next_step or 0) - killed)} after it",
    )
    say(console, f"Temporal  {run.temporal_url} (while a platform runs in this home)")


# ---- the proof -------------------------------------------------------------------------------


def _print_proof(after: Sequence[Step], crash: Crash, console: "Console") -> None:
    say(console, "\nProof, from the journal (GET /api/v1/executions/{id}/steps):")
    problems = []
    for claim, problem in _claims(after, crash):
        say(console, f"  {'no ' if problem else 'yes'}  {claim}{f': {problem}' if problem else ''}")
        problems += [problem] if problem else []
    if problems:
        raise DemoFailed("the journal does not prove that the run went on where it stood.")


def _claims(after: Sequence[Step], crash: Crash) -> Iterator[tuple[str, str]]:
    """What has to hold, each with what speaks against it."""
    settled = {_key(step): step for step in crash.before if step.status in {"confirmed", "failed"}}
    nodes = sorted({step.node for step in after})
    yield (
        f"{len(after)} steps of {len(nodes)} skills, numbered without a gap, each there once",
        "; ".join(filter(None, (_gap(after, node) for node in nodes))),
    )
    yield ("every step has its answer", _names(s for s in after if s.status != "confirmed"))
    now = {_key(step): step for step in after}
    changed = [old for key, old in settled.items() if key not in now or not _same(old, now[key])]
    yield (
        f"the {len(settled)} steps recorded before the kill are as they were: hash, start, attempt",
        _names(changed),
    )
    yield from _attempts(after, settled)
    effects = [step for step in after if step.effect_id is not None]
    doubled = [step for step in effects if step.sends > 1] + _repeated(effects)
    yield (f"{len(effects)} effects on the outside world, none doubled", _names(doubled))


def _attempts(
    after: Sequence[Step], settled: Mapping[tuple[str, int], Step]
) -> Iterator[tuple[str, str]]:
    killed_in = max(settled.values(), key=lambda step: step.started_at or step.ended_at, default=None)
    node = killed_in.node if killed_in else ""
    places = [(step.segment, step.attempt) for step in after if step.node == node]
    spans = "; ".join(
        f"attempt {place[1]} recorded {_span([s for s in after if s.node == node and (s.segment, s.attempt) == place])}"
        for place in sorted(set(places))
    )
    went_on = len(set(places)) > 1 and places == sorted(places)
    yield (f"{node}: {spans}", "" if went_on else "no second attempt recorded anything")


def _span(steps: Sequence[Step]) -> str:
    return f"steps {min(s.step for s in steps)} to {max(s.step for s in steps)}"


def _gap(steps: Sequence[Step], node: str) -> str:
    numbers = sorted(step.step for step in steps if step.node == node)
    return "" if numbers == list(range(len(numbers))) else f"{node} has {numbers}"


def _key(step: Step) -> tuple[str, int]:
    return step.node, step.step


def _same(old: Step, new: Step) -> bool:
    return old == new


def _repeated(effects: Sequence[Step]) -> list[Step]:
    seen = Counter(step.effect_id for step in effects)
    return [step for step in effects if seen[step.effect_id] > 1]


def _names(steps: Iterator[Step] | Sequence[Step]) -> str:
    return ", ".join(f"{step.node} step {step.step}" for step in steps)
