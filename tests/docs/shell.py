"""Shell blocks, as far as they can be judged without running them: do the commands exist?"""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer.main

from omniforge.cli.app import app
from tests.docs.pages import ROOT

# Programs of the machine that a page may use.
OUTSIDE = {"cat", "cd", "cp", "curl", "docker", "export", "jq", "mkdir", "sqlite3", "tail", "tar"}

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^'\"\n]*$", re.MULTILINE)
_INTO_FILE = re.compile(r" \d?>>? *[\w./-]+")
_BETWEEN = re.compile(r"[;&|()<>\n]+")


def problems(text: str) -> Iterator[str]:
    """What cannot work in a block: a target, subcommand, option or module that is not there."""
    for words in commands(text):
        program, *rest = words
        name = program.rsplit("/", 1)[-1]
        if name == "make":
            yield from _of_make(rest)
        elif name == "omniforge":
            yield from _of_omniforge(rest)
        elif name in {"python", "python3"} and "-m" in rest:
            yield from _of_module(rest[rest.index("-m") + 1])
        elif name not in {*OUTSIDE, "python"} and not program.startswith(".venv/bin/"):
            yield f"{program}: not a command that these pages use"


def commands(text: str) -> Iterator[list[str]]:
    """Each simple command of a block as its words, without variables set before it."""
    joined = _INTO_FILE.sub("", _COMMENT.sub("", text).replace("\\\n", " "))
    # What stands in `$(...)` is a command of its own.
    lexer = shlex.shlex(joined.replace("$(", "\n"), posix=True, punctuation_chars=";&|\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    for word in [*lexer, ";"]:
        if not _BETWEEN.fullmatch(word):
            words.append(word)
        elif words:
            yield from _without_assignments(words)
            words = []


def _without_assignments(words: list[str]) -> Iterator[list[str]]:
    while words and (_ASSIGNMENT.match(words[0]) or words[0] == "$"):
        words = words[1:]
    if words:
        yield words


def _of_make(words: list[str]) -> Iterator[str]:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for word in words:
        if not _ASSIGNMENT.match(word) and word not in known:
            yield f"make {word}: no such target"


def _of_module(module: str) -> Iterator[str]:
    main = f"{module}.__main__"
    is_package = (ROOT / module.replace(".", "/")).is_dir()
    if importlib.util.find_spec(module) is None:
        yield f"python -m {module}: no such module"
    elif is_package and importlib.util.find_spec(main) is None:
        yield f"python -m {module}: the package cannot be run"


def _of_omniforge(words: list[str]) -> Iterator[str]:
    """Follows the words into the commands of the command line, and asks for their options."""
    command: Any = typer.main.get_command(app)  # typer carries a click of its own, untyped for us
    options = {"--help", "-h"}
    for word in words:
        commands_below = getattr(command, "commands", None)
        if word.startswith("-"):
            options |= {name for each in command.params for name in each.opts}
            if word.partition("=")[0] not in options:
                yield f"omniforge {' '.join(words)}: {command.name} has no option {word}"
        elif commands_below is not None:
            if word not in commands_below:
                yield f"omniforge {word}: no such command"
                return
            command = commands_below[word]
