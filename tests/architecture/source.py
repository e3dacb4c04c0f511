"""Our own source, as the tests of this folder look at it."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LIBRARY = "omniforge"
APPLICATIONS = ("activities", "workflows", "api", "worker", "dev", "benchmarks")
PRODUCT = (LIBRARY, *APPLICATIONS)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file. `path` is relative to the repository and has forward slashes."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node


def modules(*folders: str) -> Iterator[Module]:
    """Every module below these folders, but for generated migrations and what npm has installed."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if "/migrations/versions/" not in path and "/node_modules/" not in path:
                yield Module(path, file.read_text())


def repository_files() -> list[str]:
    """What is committed, or would be by `git add .`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout, so nobody can say which files belong to it")
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]
