"""The demo, as `make demo` runs it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.requirements import requirement

ROOT = Path(__file__).parents[2]


def demo(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    variables: Mapping[str, str] = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, "-m", "dev", "demo", *words],
        cwd=ROOT,
        env={**variables, "OMNIFORGE_HOME": str(home / "omniforge")},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@requirement("DUR-1")
@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_killed_worker_costs_no_step_and_the_report_is_written(tmp_path: Path) -> None:
    shown = demo(tmp_path)

    assert shown.returncode == 0, shown.stdout + shown.stderr
    text = shown.stdout
    assert text.index("SIGKILL for the worker") < text.index("RESUMED after 5 recorded steps")
    assert "steps 0 to 4 by attempt 1, steps 5 to 17 by attempt 2" in text
    assert "**58 of 418 tasks** in tasks.csv are overdue" in text
    assert "\n  no " not in text
    assert text.count("\n  yes ") == 6
    assert "Traceback" not in shown.stderr
    assert (tmp_path / "omniforge" / "omniforge.db").is_file()


def test_a_file_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    shown = demo(tmp_path, "--file", "nothing.csv")

    assert shown.returncode == 1
    assert "nothing.csv cannot be read" in shown.stdout
    assert not (tmp_path / "omniforge").exists()
