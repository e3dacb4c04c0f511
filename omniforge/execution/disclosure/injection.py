"""Commands in a skill's text, run in the sandbox, their output in their place."""

import re
import shlex
from collections.abc import Mapping

from omniforge.errors import TryAgain
from omniforge.tools.sandbox.commands import program_of
from omniforge.tools.sandbox.protocol import Program, Sandbox
from omniforge.tools.sandbox.wording import explained

# `!` directly before a code span, at the beginning or after white space: "wow!`x`" is prose.
_COMMAND = re.compile(r"(?:(?<=\s)|^)!`([^`\n]+)`", re.MULTILINE)

# A skill that gathers more than this before it even begins should run a script instead.
MAX_COMMANDS = 10
MAX_OUTPUT = 10_000


class SandboxInjector:
    """A `DynamicInjector`. Commands start in the skill's folder, which they can only read.

    They are split into words as a shell would, and no shell runs them: `|`, `>`, `;` and `$` are text.
    A command that fails leaves a note in the skill's text, which the model sees.
    """

    def __init__(self, files: Mapping[str, bytes], sandbox: Sandbox) -> None:
        self._files, self._sandbox = files, sandbox

    async def inject(self, text: str) -> str:
        parts, last = [], 0
        for number, found in enumerate(_COMMAND.finditer(text)):
            parts += [text[last : found.start()], await self._output(found[1], number)]
            last = found.end()
        return "".join([*parts, text[last:]])

    async def _output(self, command: str, number: int) -> str:
        if number >= MAX_COMMANDS:
            return _failed(command, f"a skill may run {MAX_COMMANDS} commands")
        try:
            words = tuple(shlex.split(command))
            if not words:
                return _failed(command, "it is empty")
            ending = await self._sandbox.run(Program(program_of(words, self._files), self._files))
            note = explained(ending, self._sandbox.limits)
        except (TryAgain, ValueError) as problem:  # ValueError: a quote that is not closed
            return _failed(command, str(problem))
        said = _readable(ending.stdout)
        if note or ending.exit_code != 0:
            reason = note or f"exit code {ending.exit_code}"
            return _failed(command, f"{reason} {_readable(ending.stderr)}".strip())
        return said


def _readable(output: bytes) -> str:
    text = output.decode(errors="replace").replace("\0", "\ufffd").strip()
    return (
        text
        if len(text) <= MAX_OUTPUT
        else f"{text[:MAX_OUTPUT]}\n[cut after {MAX_OUTPUT} characters]"
    )


def _failed(command: str, reason: str) -> str:
    return f"[The command {command!r} could not be run: {reason}]"
