"""The long run: batch after batch until enough steps were interrupted. Can be cut and taken up again."""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from dev.lock import sole_owner
from tests.kill.cases import Case, batches
from tests.kill.stage import Stage
from tests.kill.trial import Trial
from tests.kill.verdict import Tally

PER_KILL = 90
# From the first call that is held to the kill: the start of some 60 runs on two busy cores.
CALL_TIMEOUT = 15.0
API_DIES_EVERY = 3

ROOT = Path(__file__).parents[2]
CODE = ("omniforge", "activities", "workflows", "api", "worker", "dev", "tests/kill")

Say = Callable[[str], None]
Perform = Callable[[Sequence[Case], bool], Awaitable[Tally]]
"""Carries out a batch; the flag says whether the API is killed as well."""


class Matrix:
    """Counts whole batches: one that was cut short is done again, on a fresh platform.

    `code` says what was tried; a state file of other code counts for nothing.
    """

    def __init__(self, planned: Iterable[list[Case]], code: str, state: Path, say: Say) -> None:
        self._planned, self._code, self._state, self._say = planned, code, state, say
        self.tally, self.batches, self.seconds = Tally(), 0, 0.0
        self._read()

    async def go_on(self, perform: Perform, steps: int) -> None:
        """Batch after batch until so many steps have been interrupted."""
        for cases in islice(self._planned, self.batches, None):
            if self.tally.interrupted >= steps:
                return
            began = time.monotonic()
            tally = await perform(cases, self.batches % API_DIES_EVERY == API_DIES_EVERY - 1)
            if not tally.interrupted:
                raise RuntimeError("No call was held at its moment; the worker's log says why.")
            self.tally.add(tally)
            self.batches += 1
            self.seconds += time.monotonic() - began
            self._write()
            self._tell(tally, time.monotonic() - began)

    def _tell(self, last: Tally, seconds: float) -> None:
        faults = ", ".join(f"{name} {n}" for name, n in self.tally.faults.items() if n) or "none"
        self._say(
            f"batch {self.batches}: {last.interrupted} steps interrupted by {last.kills} kills in"
            f" {seconds:.0f} s; so far {self.tally.interrupted} in {self.seconds:.0f} s,"
            f" faults: {faults}"
        )

    def report(self) -> str:
        return (
            f"{self.tally.table()}\n\n{self.tally.interrupted} steps interrupted by"
            f" {self.tally.kills} kills in {self.batches} batches and {self.seconds:.0f} seconds;"
            f" {self.tally.total.missed} calls were not at their moment when the kill came."
        )

    def _read(self) -> None:
        if not self._state.exists():
            return
        state = json.loads(self._state.read_text())
        if state["code"] == self._code:
            self.tally = Tally.from_json(state["tally"])
            self.batches, self.seconds = state["batches"], state["seconds"]
            self._say(f"going on after batch {self.batches}: {self.tally.interrupted} steps so far")

    def _write(self) -> None:
        state: dict[str, Any] = {
            "code": self._code,
            "batches": self.batches,
            "seconds": self.seconds,
            "tally": self.tally.as_json(),
        }
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(self._state)


def digest_of_code() -> str:
    files = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


async def run_matrix(matrix: Matrix, platform: Path, steps: int, minutes: float) -> bool:
    """Go on with a matrix on a platform of its own; False when the time was not enough."""
    try:
        async with asyncio.timeout(minutes * 60), Stage.set(platform, CALL_TIMEOUT) as stage:

            async def perform(cases: Sequence[Case], api_dies_too: bool) -> Tally:
                trial = Trial(stage, cases, api_dies_too)
                return Tally(await trial.perform(), trial.kills)

            await matrix.go_on(perform, steps)
    except TimeoutError:
        return False
    return True


def main() -> int:
    """The exit status: 0 nothing was lost or doubled, 1 something was, 3 the time is up."""
    given = _arguments()
    for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "OMNIFORGE_"))]:
        del os.environ[name]  # the matrix has a server and settings of its own
    given.home.mkdir(parents=True, exist_ok=True)
    state = given.home / ("without-ledger.json" if given.no_ledger else "with-ledger.json")
    platform = given.home / "platform"
    with sole_owner(given.home):
        planned = batches(PER_KILL, has_ledger=not given.no_ledger)
        matrix = Matrix(planned, digest_of_code(), state, _say)
        shutil.rmtree(platform, ignore_errors=True)
        if not asyncio.run(run_matrix(matrix, platform, given.steps, given.minutes)):
            _say(f"Time is up after batch {matrix.batches}; the same command goes on from there.")
            return 3
        _say(f"\n{matrix.report()}")
        state.unlink()
        if matrix.tally.faults.total():
            _say(
                f"FAULTS: {dict(matrix.tally.faults)}. The files of the platform are in {platform}."
            )
            return 1
        shutil.rmtree(platform)
        return 0


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    words.add_argument("--steps", type=int, default=1000, help="how many to interrupt")
    words.add_argument("--minutes", type=float, default=30, help="stop after so long")
    words.add_argument(
        "--home",
        type=Path,
        default=Path(tempfile.gettempdir()) / f"omniforge-kill-matrix-{os.getuid()}",
        help="state and, while it runs, the files of the platform",
    )
    words.add_argument("--no-ledger", action="store_true", help="show what happens without it")
    return words.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
