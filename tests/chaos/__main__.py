"""`python -m tests.chaos`: the mixed suite with faults."""

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dev.lock import sole_owner
from tests.chaos.cases import CASES, UNLEDGERED, mixed
from tests.chaos.faults import Everything
from tests.chaos.stage import FaultyDatabase, LockedSqlite, Luck, RestartedPostgres, Stage
from tests.chaos.suite import Suite
from tests.chaos.verdict import Verdict
from tests.support.postgres import PostgresServer

# On two cores. What is under way begins anew with each worker, so more would only begin.
WINDOW = 16
# Longer than any run takes: five attempts with their pauses, some segments, and a busy machine.
PATIENCE = 240.0


def main() -> int:
    """The exit status: 0 what has to be reached is reached, 1 it is not, 3 the time is up."""
    given = _arguments()
    for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "OMNIFORGE_"))]:
        del os.environ[name]  # the suite has a server and settings of its own
    given.home.mkdir(parents=True, exist_ok=True)
    with sole_owner(given.home), _database(given) as database:
        began = time.monotonic()
        try:
            verdict = asyncio.run(_perform(given, database))
        except TimeoutError:
            _say(f"Time is up. The files of the platform are in {given.home}.")
            return 3
        _say(f"\n{verdict.report()}\nin {time.monotonic() - began:.0f} s")
    if verdict.is_reached:
        shutil.rmtree(given.home)
        return 0
    _say(f"NOT REACHED. The files of the platform are in {given.home}.")
    return 1


async def _perform(given: argparse.Namespace, database: FaultyDatabase) -> Verdict:
    luck, torment = Luck(given.seed), Everything(given.seed, _say)
    async with (
        asyncio.timeout(given.minutes * 60),
        Stage.set(given.home / "platform", database, luck) as stage,
    ):
        cases = UNLEDGERED if given.no_ledger else CASES
        suite = Suite(stage, WINDOW, PATIENCE, _say)
        verdict = await suite.perform(mixed(cases, given.runs), torment)
    world, model = stage.world, stage.model
    faults = ", ".join(f"{name} {count} times" for name, count in sorted(torment.counts.items()))
    _say(
        f"\nfaults: {faults}; the service was busy {world.busy} times and silent {world.silent}"
        f" times; the model failed {model.failures} times"
    )
    return verdict


@contextlib.contextmanager
def _database(given: argparse.Namespace) -> Iterator[FaultyDatabase]:
    for left_over in ("platform", "postgres"):
        shutil.rmtree(given.home / left_over, ignore_errors=True)
    if given.database == "sqlite":
        yield LockedSqlite(given.home / "platform" / "omniforge.db")
    else:
        with PostgresServer.start(given.home / "postgres") as server:
            yield RestartedPostgres(server)


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    words.add_argument("--runs", type=int, default=500)
    words.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    words.add_argument("--minutes", type=float, default=20, help="stop after so long")
    words.add_argument("--seed", type=int, default=1, help="draws what fails when")
    words.add_argument(
        "--home",
        type=Path,
        default=Path(tempfile.gettempdir()) / f"omniforge-chaos-{os.getuid()}",
        help="the files of the platform",
    )
    words.add_argument("--no-ledger", action="store_true", help="show what happens without it")
    return words.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # The SDK's runtime can crash while the interpreter goes down (sdk-python #300).
    os._exit(code)
