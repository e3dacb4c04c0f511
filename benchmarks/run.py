"""`make bench`: the numbers that matter, as ratios to raw Temporal on the same server, in one run.

Bounded: loopback only, some 7,000 runs, a few minutes. Results go to benchmarks/results/.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.hooks import hooks
from benchmarks.journal import measure_journal, postgres
from benchmarks.load import load
from benchmarks.memory import long_skill_mb
from benchmarks.platform import (
    Up,
    help_seconds,
    history_kb,
    outage_seconds,
    recovery_seconds,
    resident_mb,
    up,
)
from benchmarks.raw import raw_worker
from benchmarks.runs import Latency, create_agent, latencies, our_start, rate, raw_start, skill
from benchmarks.sandbox import sandbox_ms
from omniforge.settings import Settings

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

SEQUENTIAL, AT_ONCE, ROUNDS = 60, 500, 3


async def bench(home: Path) -> dict[str, Any]:
    """All measurements, each as `{"value", "target"}` or as a plain number without a target."""
    started = time.perf_counter()
    settings = Settings(
        home=home, llm_provider="offline", log_level="WARNING", rate_limit=0, tenant_rate_limit=0
    )
    async with up(settings) as it:
        platform, api, temporal = it.platform, it.api, it.temporal
        found: dict[str, Any] = {"platform starts, s": time.perf_counter() - started}
        found["worker when idle, MB (target: under 250)"] = resident_mb(platform.pid("worker"))
        found |= await _runs(it)
        found["worker after that, MB"] = resident_mb(platform.pid("worker"))
        history = await history_kb(platform, api, temporal)
        found["history of 100 model calls, KB (target: under 100)"] = history
        history = await history_kb(platform, api, temporal, 300)
        found["history of 300 model calls, KB (target: under 200)"] = history
        for part in ("worker", "api"):
            seconds = await recovery_seconds(platform, api, part)
            found[f"next step after SIGKILL of {part}, s (target: under 10)"] = seconds
        outage = await outage_seconds(platform, api)
        found["end of the run after SIGKILL of temporal, s"] = outage
    found |= await load(home / "load")
    found |= await hooks(home / "hooks")
    found |= await _journals(home)
    found |= await sandbox_ms(home / "scripts")
    growth = await long_skill_mb(home / "memory")
    found |= {
        f"skill of 300 calls, {name}, MB (target: under 100)": mb for name, mb in growth.items()
    }
    found["omniforge --help, s (target: under 0.4)"] = help_seconds()
    return found


async def _journals(home: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    with postgres(home / "postgres") as url:
        urls = {"SQLite": f"sqlite:///{home / 'journal.db'}", "PostgreSQL": url}
        for name, database in urls.items():
            if database is None:
                print(f"{name} is left out: its wheel is not installed.")
                continue
            costs = await measure_journal(database, home / "blobs")
            found |= {
                f"journalled step on {name}, ms (target: at most 2)": costs.step,
                f"paid model call on {name}, two commits, ms": costs.paid_call,
                f"bare row on {name}, ms": costs.bare_row,
            }
    return found


async def _runs(it: Up) -> dict[str, Any]:
    temporal = it.temporal
    agent = await create_agent(it.api, *(skill(f"skill-{n}", n) for n in (1, 2, 3)))
    ours = our_start(it.api, agent, it.platform.credentials.tenant_id)
    with raw_worker():
        raw = raw_start(it.raw)
        theirs, our = await latencies(temporal, raw, ours, SEQUENTIAL)
        rates = [
            (await rate(temporal, raw, AT_ONCE), await rate(temporal, ours, AT_ONCE))
            for _ in range(ROUNDS)
        ]
    return _compared(theirs, our, rates)


def _compared(raw: Latency, ours: Latency, rates: Sequence[tuple[float, float]]) -> dict[str, Any]:
    ratios = [our / theirs for theirs, our in rates]
    return {
        "raw workflow of 3 no-op activities, accepted to result, ms": raw.accepted_to_result,
        "run of 3 answering skills, accepted to result, ms": ours.accepted_to_result,
        "ratio of latency, accepted to result (target: at most 1.5)": ours.accepted_to_result
        / raw.accepted_to_result,
        "raw, call to result, ms": raw.call_to_result,
        "ours, HTTP call to result, ms": ours.call_to_result,
        "ratio of latency, call to result": ours.call_to_result / raw.call_to_result,
        f"raw, runs/s of {AT_ONCE} at once": statistics.median(theirs for theirs, _ in rates),
        f"ours, runs/s of {AT_ONCE} at once": statistics.median(our for _, our in rates),
        "ratio of throughput (target: at least 0.65)": statistics.median(ratios),
    }


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="omniforge-bench-") as folder:
        found = asyncio.run(bench(Path(folder)))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(found, indent=2) + "\n")
    for name, value in found.items():
        print(f"{value:10.2f}  {name}")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
