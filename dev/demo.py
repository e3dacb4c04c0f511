"""The main job end to end, with its worker killed on the way: `python -m dev demo`."""

import asyncio
import signal
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
from omniforge.cli.live import LiveView, took
from omniforge.client import OmniForgeClient, Run, Step, Upload, read_upload
from omniforge.errors import Conflict, OmniForgeError, Rejected
from omniforge.journal.events import Event, ModelAnswered, ToolAnswered
from omniforge.journal.steps import StepStatus
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

# The worker is killed after a step from here on of the last skill, while the next is under way.
_KILL_FROM_STEP = 3

# By then the model has been asked for the next step and has not answered yet.
_INTO_THE_NEXT_STEP = _PACE / 2

_SETTLED = (StepStatus.CONFIRMED, StepStatus.FAILED)
_ANSWERED = (ModelAnswered, ToolAnswered)


class DemoFailed(Rejected):
    """The demo did not show what it is there to show. The message says what is missing."""

    code = "demo_failed"


@dataclass(frozen=True)
class Table:
    """What the agent works on."""

    path: Path
    content: bytes
    is_example: bool

    @classmethod
    def read(cls, file: Path | None) -> "Table":
        path = file or EXAMPLE / "tasks.csv"
        try:
            return cls(path, path.read_bytes(), is_example=file is None)
        except OSError as error:
            raise DemoFailed(
                f"{path} cannot be read ({error.strerror}). Name a table: a CSV or JSON export."
            ) from error


@dataclass
class Crash:
    """What was seen around the death of the worker. Times are of the monotonic clock."""

    killed: float | None = None
    resumed: float | None = None
    next_step: float | None = None
    before: Sequence[Step] = ()
    """The journal a moment before the kill."""
    told: Counter[tuple[str | None, int]] = field(default_factory=Counter)
    """How often the event stream told of a step's answer."""


async def demo(file: Path | None, console: "Console") -> int:
    """Show the main job; the exit status. Anything that is not as it should be makes it 1."""
    _cancel_on_signals()
    try:
        async with asyncio.timeout(_LIMIT):
            await _perform(Table.read(file), console)
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


def _cancel_on_signals() -> None:
    if (task := asyncio.current_task()) is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def say(console: "Console", line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _perform(table: Table, console: "Console") -> None:
    began = time.monotonic()
    async with _platform(console) as platform:
        say(console, f"Temporal, worker and API are up after {took(time.monotonic() - began)}.")
        known = platform.credentials
        async with OmniForgeClient(known.api_key, known.api_url) as client:
            await _show(client, platform, table, console)
        say(console, "\nStopping API, worker and Temporal ...")
    say(console, f"All processes have ended; the data stays in {platform.home}.")
    say(console, f"The demo took {took(time.monotonic() - began)}.")


@asynccontextmanager
async def _platform(console: "Console") -> AsyncIterator[Platform]:
    """The platform of the usual home or, beside one that runs there, of a home of its own."""
    usual = load_settings()
    try:
        async with _started(_settings(usual.home, usual), console) as platform:
            yield platform
    except AlreadyRunning:
        say(console, "A platform runs there already, so the demo gets a home of its own.")
        async with _started(_settings_beside(usual), console) as platform:
            yield platform


@asynccontextmanager
async def _started(settings: Settings, console: "Console") -> AsyncIterator[Platform]:
    say(console, f"Starting Temporal, worker and API in {settings.home.absolute()} ...")
    async with Platform.start(settings, lambda line: say(console, f"   ({line})")) as platform:
        say(console, _about_model(settings))
        yield platform


def _settings(home: Path, usual: Settings, **changed: object) -> Settings:
    """The usual settings; without a model chosen by name, the one that costs and tells nothing."""
    chosen = {
        "home": home,
        "llm_provider": usual.llm_provider or "offline",
        "offline_pace": usual.offline_pace or _PACE,
    }
    return Settings.model_validate(chosen | changed)


def _settings_beside(usual: Settings) -> Settings:
    """Shares nothing with the platform that runs: neither database nor files nor Temporal."""
    if temporal_server.address_elsewhere() is not None:
        raise Conflict(
            f"A platform runs in {usual.home.absolute()}, and TEMPORAL_ADDRESS would make the demo"
            " share its Temporal server. Unset it, or stop the platform."
        )
    return _settings(usual.home / "demo", usual, database_url="", storage=Path())


def _about_model(settings: Settings) -> str:
    if settings.provider != "offline":
        return f"The model is {settings.provider} {settings.llm_model}".rstrip() + "."
    return (
        f"The model is the offline one, slowed down to {settings.offline_pace:g} s an answer to be"
        " watched."
    )


async def _show(
    client: OmniForgeClient, platform: Platform, table: Table, console: "Console"
) -> None:
    upload = read_upload(EXAMPLE)
    agent = await _fresh_agent(client, upload)
    files = {table.path.name: table.content}
    started = await client.agents.run(agent, _input(upload, table), files=files)
    say(console, f"Agent {agent} works on {table.path} ({len(table.content)} bytes):\n")
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


def _input(upload: Upload, table: Table) -> Mapping[str, object]:
    """The example's own day belongs to its own table; another table is looked at today."""
    return upload.example_input if table.is_example else {"file": table.path.name}


async def _watch_and_kill(
    client: OmniForgeClient, platform: Platform, run_id: str, view: LiveView
) -> Crash:
    crash, skills = Crash(), list[str]()
    async for event in client.runs.watch(run_id):
        view.show(event)
        if event.body.type == "run_started":
            skills = list(event.body.skills)
        if isinstance(event.body, _ANSWERED):
            crash.told[event.node, event.body.step] += 1
        if crash.killed is not None:
            _note_recovery(event, crash, view)
        elif skills and event.node == skills[-1] and _is_the_moment(event):
            crash.before = await client.runs.steps(run_id)
            await asyncio.sleep(_INTO_THE_NEXT_STEP)
            worker = platform.pid("worker")
            platform.kill("worker")
            crash.killed = time.monotonic()
            view.mark(f"\n   SIGKILL for the worker (process {worker}), in mid-step.\n", "bold red")
    return crash


def _is_the_moment(event: Event) -> bool:
    """A tool has answered, so the model is being asked for the next step just now."""
    return event.body.type == "tool_answered" and event.body.step >= _KILL_FROM_STEP


def _note_recovery(event: Event, crash: Crash, view: LiveView) -> None:
    now = time.monotonic()
    if event.body.type == "skill_resumed" and crash.resumed is None:
        crash.resumed = now
    elif isinstance(event.body, _ANSWERED) and crash.resumed and crash.next_step is None:
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
    if console.is_terminal:
        from rich.markdown import Markdown

        console.rule(_REPORT)
        console.print(Markdown(text))
        console.rule()
    else:
        say(console, f"\n---- {_REPORT} ----\n\n{text.rstrip()}\n\n---- end of {_REPORT} ----")


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
    nodes = sorted({step.node for step in after})
    gaps = [f"{node} has {_numbers(after, node)}" for node in nodes if _gaps(after, node)]
    yield f"{len(after)} steps, numbered without a gap, each there once", "; ".join(gaps)
    open_steps = [step for step in after if step.status not in _SETTLED]
    yield "every step has its answer", _names(open_steps)
    often = [step for step in after if crash.told[step.node, step.step] > 1]
    yield "the event stream told of no step twice", _names(often)
    before = [step for step in crash.before if step.status in _SETTLED]
    changed = [step for step in before if step not in after]
    claim = f"the {len(before)} steps of before the kill are the same now: hash, time, answer"
    yield claim, _names(changed)
    yield from _attempts(after, before[-1].node if before else "")
    effects = [step for step in after if step.effect_id is not None]
    claim = f"effects on the outside world: {len(effects)}, none of them doubled"
    yield claim, _names(_doubled(effects))


def _attempts(after: Sequence[Step], killed: str) -> Iterator[tuple[str, str]]:
    """Who recorded which steps of the skill whose worker was killed."""
    recorded: dict[tuple[int, int], list[int]] = {}
    for step in sorted(after, key=lambda step: step.step):
        if step.node == killed:
            recorded.setdefault((step.segment, step.attempt), []).append(step.step)
    spans = [f"{_span(steps)} by attempt {place[1]}" for place, steps in recorded.items()]
    went_on = len(recorded) > 1 and list(recorded) == sorted(recorded)
    yield f"{killed}: {', '.join(spans)}", "" if went_on else "there was one attempt only"


def _span(numbers: Sequence[int]) -> str:
    return f"steps {numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"step {numbers[0]}"


def _numbers(steps: Sequence[Step], node: str) -> list[int]:
    return sorted(step.step for step in steps if step.node == node)


def _gaps(steps: Sequence[Step], node: str) -> bool:
    numbers = _numbers(steps, node)
    return numbers != list(range(len(numbers)))


def _doubled(effects: Sequence[Step]) -> list[Step]:
    seen = Counter(step.effect_id for step in effects)
    return [step for step in effects if step.sends > 1 or seen[step.effect_id] > 1]


def _names(steps: Sequence[Step]) -> str:
    return ", ".join(f"{step.node} step {step.step}" for step in steps)
