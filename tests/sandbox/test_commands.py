"""Which command runs a script, and what is said when none does."""

import pytest

from omniforge.errors import TryAgain
from omniforge.tools.sandbox.commands import command_of, program_of
from omniforge.tools.sandbox.place import python_inside

PYTHON = (python_inside(), "-u")
FILES = {
    "SKILL.md": b"---",
    "scripts/report.py": b"print(1)",
    "scripts/old.py": b"#!/usr/bin/env python2\nprint 1",
    "scripts/deep/er.sh": b"echo",
    "scripts/bash.sh": b"#!/usr/bin/env -S bash -e\n",
    "scripts/plain": b"#!/bin/sh -u\r\necho",
    "scripts/ruby.rb": b"#!/opt/ruby/bin/ruby\n",
    "scripts/gone": b"#!/usr/bin/env no-such-program\n",
    "scripts/empty": b"#!",
    "scripts/data.bin": b"\x7fELF\x02",
    "references/form.md": b"text",
}


@pytest.mark.parametrize(
    ("script", "interpreter"),
    [
        ("scripts/report.py", PYTHON),
        ("./scripts/report.py", PYTHON),
        ("/skill/scripts/report.py", PYTHON),
        ("scripts/old.py", PYTHON),
        ("scripts/deep/er.sh", ("/bin/sh",)),
        ("scripts/bash.sh", ("/usr/bin/bash", "-e")),
        ("scripts/plain", ("/bin/sh", "-u")),
    ],
)
def test_a_script_is_run_by_what_it_is_written_for(
    script: str, interpreter: tuple[str, ...]
) -> None:
    path = "/skill/" + script.removeprefix("./").removeprefix("/skill/")

    assert command_of(script, FILES) == (*interpreter, path)


@pytest.mark.parametrize(
    "script",
    [
        "scripts/../SKILL.md",
        "../scripts/report.py",
        "/etc/passwd",
        "/scripts/report.py",
        "scripts/report.py\0",
        "scripts",
        "scripts/",
        "",
        "references/form.md",
        "--help",
        "scripts/report.py; rm -rf /",
        "${SKILL_DIR}/../x",
    ],
)
def test_a_name_that_is_no_script_of_the_skill_is_refused(script: str) -> None:
    with pytest.raises(TryAgain, match="There is no script"):
        command_of(script, FILES)


def test_a_name_that_comes_close_is_told_the_right_one() -> None:
    with pytest.raises(TryAgain, match=r"Did you mean 'scripts/report\.py'"):
        command_of("script/report.py", FILES)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("scripts/ruby.rb", "'/opt/ruby/bin/ruby', which is not in the sandbox"),
        ("scripts/gone", "'no-such-program', which is not in the sandbox"),
        ("scripts/empty", "its first line names no program"),
        ("scripts/data.bin", r"neither in \.py nor in \.sh"),
    ],
)
def test_what_nothing_here_can_run_is_said_in_words(script: str, said: str) -> None:
    with pytest.raises(TryAgain, match=said):
        command_of(script, FILES)


def test_a_command_is_a_script_of_the_skill_or_a_program_of_the_machine() -> None:
    assert program_of(("python3", "-c", "1"), FILES) == (*PYTHON, "-c", "1")
    assert program_of(("scripts/deep/er.sh", "-x"), FILES)[-2:] == (
        "/skill/scripts/deep/er.sh",
        "-x",
    )
    assert program_of(("ls", "-l"), FILES)[0].endswith("/ls")
    with pytest.raises(TryAgain):
        program_of(("./SKILL.md",), FILES)
