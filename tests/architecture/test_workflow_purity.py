"""Workflow code reaches no I/O, neither by itself nor through what it imports.

The import contract reads the source; this looks at what Python really loads.
"""

import pkgutil
import subprocess
import sys

import workflows
from tests.architecture.source import ROOT

# For processes, which do connect; no workflow module imports them.
NOT_OF_WORKFLOWS = {"codec", "wire"}

FORBIDDEN = (
    "sqlalchemy",
    "asyncpg",
    "httpx2",
    "anthropic",
    "fastapi",
    "omniforge.store",
    "omniforge.llm",
    "omniforge.tools",
)


def test_workflow_modules_load_nothing_that_does_io() -> None:
    assert loaded_by(*workflow_modules()) & set(FORBIDDEN) == set()


def test_the_look_at_loaded_modules_sees_them() -> None:
    assert loaded_by("omniforge.store.sql") & set(FORBIDDEN) == {"sqlalchemy", "omniforge.store"}


def workflow_modules() -> list[str]:
    found = {module.name for module in pkgutil.iter_modules(workflows.__path__)}
    return [f"workflows.{name}" for name in sorted(found - NOT_OF_WORKFLOWS)]


def loaded_by(*names: str) -> set[str]:
    """What a fresh interpreter has loaded after importing these modules."""
    imports = "; ".join(f"import {name}" for name in names)
    program = f"{imports}; import sys; print(*sys.modules, sep='\\n')"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(ended.stdout.split())
