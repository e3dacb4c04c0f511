"""`omniforge schedules import`: many at once, from a table or a list."""

import asyncio
import csv
import hashlib
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omniforge.cli.session import Session, on_platform
from omniforge.cli.triggers.times import moment

if TYPE_CHECKING:
    from omniforge.cli.output import Output

_COLUMNS = frozenset(
    {
        *("agent", "cron_expression", "timezone", "name", "enabled", "overlap", "overlap_waiting"),
        *("catchup_window_s", "jitter_s", "starts_at", "ends_at", "input_data"),
    }
)
_NEEDED = frozenset({"agent", "cron_expression"})

# Each takes the API a few milliseconds in the database and in Temporal; more at once only wait there.
_AT_ONCE = 8
_TOLD_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """One schedule to create. The `key` is made of what it says, so that it is created once."""

    number: int
    wish: Mapping[str, Any]
    key: str


@on_platform
async def import_schedules(
    session: Session,
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="A .csv with a header, or a .json list."),
    ],
) -> None:
    """Create many schedules. Repeating it goes on where it stopped; nothing is created twice."""
    rows = await _rows(session, file)
    done = await _create(session, rows)
    if session.out.as_json:
        session.out.document({"schedules": done})
    else:
        typer.echo(f"{done:,} schedules are there")


async def _create(session: Session, rows: Sequence[Row]) -> int:
    from omniforge.errors import OmniForgeError

    again = f"What is there stays; repeat the command to go on (of {len(rows):,} rows)."
    session.if_interrupted = f"Stopped. {again}"
    pending, failed = iter(rows), list[tuple[int, OmniForgeError]]()

    async def work(one_more: Callable[[], None]) -> None:
        for row in pending:
            try:
                await _add(session, row)
            except OmniForgeError as error:
                failed.append((row.number, error))
            if failed:
                return
            one_more()

    with _progress(session.out, len(rows)) as one_more:
        await asyncio.gather(*(work(one_more) for _ in range(_AT_ONCE)))
    if failed:
        number, error = min(failed, key=lambda one: one[0])
        session.out.note(f"Stopped at row {number:,}. {again}")
        raise error
    return len(rows)


async def _add(session: Session, row: Row) -> None:
    """Create one, when the platform has room for one more request."""
    from omniforge.errors import TooManyRequests

    while True:
        try:
            await session.client.schedules.add(**row.wish, idempotency_key=row.key)
            return
        except TooManyRequests as busy:
            await asyncio.sleep(float(str(busy.details.get("retry_after_s", 1))))


@contextmanager
def _progress(out: "Output", total: int) -> Iterator[Callable[[], None]]:
    """On a terminal a bar, elsewhere a line now and then; what it gives is called for each one."""
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        bar.update(1)
        if not sys.stderr.isatty() and done % _TOLD_EVERY == 0:
            out.note(f"{done:,} of {total:,}")

    with typer.progressbar(length=total, label="Schedules", show_pos=True, file=sys.stderr) as bar:
        yield one_more


# ---- the file ----------------------------------------------------------------------------------


async def _rows(session: Session, file: Path) -> list[Row]:
    """What the file asks for, with agents found by name and dates in the zone of their row."""
    agents: dict[str, str] = {}
    seen = Counter[str]()
    rows = []
    for number, said in enumerate(_read(file), 1):
        wish = _wish(said, number)
        name = str(wish.pop("agent"))
        if name not in agents:
            agents[name] = (await session.client.agents.find(name)).id
        wish["agent_id"] = agents[name]
        text = json.dumps(wish, sort_keys=True, default=str)
        seen[text] += 1
        digest = hashlib.sha256(f"{seen[text]} {text}".encode()).hexdigest()
        rows.append(Row(number, wish, f"import-{digest}"))
    return rows


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() != ".json":
            return list(csv.DictReader(io.StringIO(text, newline="")))
        read = json.loads(text)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}") from error
    if not isinstance(read, list) or not all(isinstance(one, dict) for one in read):
        raise typer.BadParameter(f"{file} has to hold a list of objects.")
    return read


def _wish(said: Mapping[str, Any], number: int) -> dict[str, Any]:
    wish = {name: value for name, value in said.items() if value not in (None, "")}
    if unknown := sorted(map(str, wish.keys() - _COLUMNS)):
        known = ", ".join(sorted(_COLUMNS))
        raise typer.BadParameter(f"row {number:,}: there is no {unknown[0]!r}; known: {known}")
    if missing := sorted(_NEEDED - wish.keys()):
        raise typer.BadParameter(f"row {number:,}: it needs {missing[0]!r}")
    zone = str(wish.get("timezone", "UTC"))
    for name in wish.keys() & {"starts_at", "ends_at"}:
        wish[name] = moment(str(wish[name]), zone, f"row {number:,}: {name}")
    if isinstance(wish.get("input_data"), str):
        wish["input_data"] = _input(wish["input_data"], number)
    return wish


def _input(text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"row {number:,}: input_data is not JSON: {error}") from error
