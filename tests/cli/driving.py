"""The command line as a person uses it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from omniforge.cli.app import app

EXAMPLE = Path(__file__).parents[2] / "examples" / "overdue-tasks"
SKILL = "---\nname: greet\ndescription: Greets. Use when greeting.\n---\n\n1. Answer: hello\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and the status it left."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[list[str]]:
        """The tab-separated lines of stdout."""
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def id(self) -> str:
        return str(self.document["id"])


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs commands in this process, beside the platform they talk to."""

    variables: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, *words: str, **more: str) -> Said:
        return await asyncio.to_thread(self.run, *words, **more)

    def run(self, *words: str, **more: str) -> Said:
        result = CliRunner().invoke(app, words, env={**self.variables, **more})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)


def a_skill(folder: Path, text: str = SKILL) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(text)
    return folder
