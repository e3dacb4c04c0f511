"""The import contract of pyproject.toml catches what it is there to catch."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.source import PRODUCT, ROOT

# One violation a contract: where it is planted, and what is imported there.
PLANTED = {
    "Processes over workflows over activities over the library": (
        "activities/runs.py",
        "import workflows.policies",
    ),
    "Inside the library, imports point down": (
        "omniforge/agents/plan.py",
        "import omniforge.journal.steps",
    ),
    "Inside the API, imports point down": ("api/schemas/runs.py", "import api.routes.health"),
    "Workflow code reaches no I/O, not even through an activity": (
        "activities/payloads.py",
        "import sqlalchemy",
    ),
    "Only workers hold sessions with MCP servers, and the SDK loads when one begins": (
        "omniforge/tools/mcp/source.py",
        "import omniforge.tools.mcp.web",
    ),
    "The core knows no framework": ("omniforge/journal/steps.py", "import sqlalchemy"),
    "The library never sees FastAPI or Temporal": ("omniforge/clock.py", "import temporalio"),
    "The API starts workflows and never calls an activity": (
        "api/routes/agents.py",
        "import activities.runs",
    ),
    "Workflow modules never see how payloads are encrypted and clients made": (
        "workflows/waits.py",
        "import workflows.codec",
    ),
    "Only composition roots read settings": ("api/launch.py", "import omniforge.settings"),
    "No cycles between siblings": ("omniforge/errors.py", "import omniforge.identity"),
}


def test_every_contract_is_kept_and_each_notices_its_violation(tmp_path: Path) -> None:
    for name in PRODUCT:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    before = broken_contracts(tmp_path)

    for file, violation in PLANTED.values():
        place = tmp_path / file
        place.write_text(f"{place.read_text()}\n{violation}\n")

    assert before == set()
    assert broken_contracts(tmp_path) == set(PLANTED)


def broken_contracts(folder: Path) -> set[str]:
    command = (str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Contracts:" in ended.stdout, ended.stdout + ended.stderr
    return set(re.findall(r"^(.+) BROKEN$", ended.stdout, re.MULTILINE))
