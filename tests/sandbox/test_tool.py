"""`run_skill_script`, as the gateway calls it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from omniforge.errors import TryAgain
from omniforge.execution.skill_scripts import RunSkillScript
from omniforge.journal.steps import EffectClass
from omniforge.skills.allowed_tools import AllowedTools
from omniforge.tools.sandbox.backends import Native
from omniforge.tools.sandbox.probe import Mode, ProbedSandbox
from omniforge.tools.sandbox.protocol import MEGABYTE, Limits
from omniforge.tools.sandbox.running import BackendSandbox
from tests.support.requirements import requirement
from tests.tools.bench import Bench

pytestmark = requirement("SKL-6")


class Scripts(Bench):
    """A skill with the scripts it is given, at work in a workspace."""

    def __init__(self, folder: Path, limits: Limits | None = None, **scripts: str) -> None:
        self.files = {
            f"scripts/{name.replace('_', '.')}": code.encode() for name, code in scripts.items()
        }
        sandbox = BackendSandbox(Native(), limits or Limits(wall_s=10))
        super().__init__(folder / "work", [RunSkillScript(self.files, sandbox)])

    async def run(self, script: str, *args: str, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.call(
            "run_skill_script", script=script, args=list(args), **more
        )
        return answer


async def test_a_script_reads_and_leaves_files_and_answers_with_its_output(tmp_path: Path) -> None:
    code = "import sys; n = len(open('in.csv').read()); open('out/n', 'w').write(str(n)); print(n)"
    bench = Scripts(tmp_path, count_py="import os; os.mkdir('out')\n" + code)
    bench.has("in.csv", "a,b\n")

    answer = await bench.run("scripts/count.py")

    assert answer == {"exit_code": 0, "stdout": "4\n", "stderr": "", "files_changed": ["out/n"]}
    assert bench.text_of("out/n") == "4"
    assert set(await bench.workspace.snapshot()) == {"in.csv", "out/n"}


async def test_arguments_reach_it_as_they_are(tmp_path: Path) -> None:
    odd = ["$HOME", "a b", "; rm -rf /", "`id`", "--help", "-c", "*", "é\n", "", "|", ">x", "$(id)"]
    bench = Scripts(
        tmp_path,
        say_py="import json, sys; print(json.dumps(sys.argv[1:]))",
        say_sh='for each in "$@"; do printf "%s\\0" "$each"; done',
    )

    python, shell = await bench.run("scripts/say.py", *odd), await bench.run("scripts/say.sh", *odd)

    assert json.loads(python["stdout"]) == odd
    assert shell["stdout"] == "".join(f"{each}\ufffd" for each in odd)
    assert list(bench.workspace.files()) == []


async def test_an_argument_with_a_nul_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(TryAgain, match="NUL"):
        await Scripts(tmp_path, x_py="").run("scripts/x.py", "a\0b")


async def test_more_arguments_than_the_kernel_takes_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(TryAgain, match="too long"):
        await Scripts(tmp_path, x_py="").run("scripts/x.py", "x" * 3_000_000)


async def test_it_is_given_its_input_its_folders_and_nothing_else_of_the_environment(
    tmp_path: Path,
) -> None:
    code = "import os, sys; print(sys.stdin.read(), sorted(os.environ), os.getcwd(), os.listdir('/skill'))"
    bench = Scripts(tmp_path, look_py=code)

    said = (await bench.run("scripts/look.py", stdin="hello"))["stdout"]

    assert said == (
        "hello ['HOME', 'LANG', 'PATH', 'SKILL_DIR', 'WORKSPACE'] /workspace ['scripts']\n"
    )


async def test_scripts_import_what_lies_beside_them(tmp_path: Path) -> None:
    bench = Scripts(tmp_path, main_py="import other; print(other.X)", other_py="X = 7")

    assert (await bench.run("scripts/main.py"))["stdout"] == "7\n"


async def test_it_works_under_a_mask_that_closes_every_new_file_to_others(tmp_path: Path) -> None:
    bench = Scripts(
        tmp_path, main_py="import other; open('new', 'w').write(other.X)", other_py="X = ''"
    )
    usual = os.umask(0o077)
    try:
        answer = await bench.run("scripts/main.py")
    finally:
        os.umask(usual)

    assert (answer["exit_code"], answer["files_changed"]) == (0, ["new"]), answer


async def test_failing_is_an_answer(tmp_path: Path) -> None:
    answer = await Scripts(tmp_path, bad_py="raise SystemExit('no such column')").run(
        "scripts/bad.py"
    )

    assert (answer["exit_code"], answer["stderr"]) == (1, "no such column\n")


async def test_a_script_that_is_stopped_is_told_of_in_words(tmp_path: Path) -> None:
    limits = Limits(wall_s=0.5, output_bytes=1000)
    bench = Scripts(
        tmp_path,
        limits,
        slow_py="print('at 3 %'); import time; time.sleep(9)",
        long_py="print('x' * 5000)",
    )

    slow, long = await bench.run("scripts/slow.py"), await bench.run("scripts/long.py")

    assert (slow["exit_code"], slow["stdout"]) == (None, "at 3 %\n")
    assert "stopped after 0.5 seconds" in slow["note"]
    assert "more than 1000 bytes" in long["note"]


async def test_a_script_that_wrote_too_much_is_undone_in_words(tmp_path: Path) -> None:
    limits = Limits(wall_s=10, workspace_bytes=MEGABYTE)
    bench = Scripts(tmp_path, limits, fill_py="open('big', 'wb').write(bytes(2 << 20))")

    with pytest.raises(TryAgain, match="its files were undone"):
        await bench.run("scripts/fill.py")


async def test_long_output_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    bench = Scripts(tmp_path, long_py="print('begin'); print('x' * 99999); print('end')")

    said = (await bench.run("scripts/long.py"))["stdout"]

    assert said.startswith("begin\n")
    assert said.endswith("end\n")
    assert "characters left out" in said
    assert len(said) < 17_000


async def test_output_that_no_store_takes_is_made_readable(tmp_path: Path) -> None:
    bench = Scripts(tmp_path, odd_py=r"import os; os.write(1, b'a\x00b\xff\xed\xa0\x80')")

    said = (await bench.run("scripts/odd.py"))["stdout"]

    assert said.startswith("a\ufffdb\ufffd")
    said.encode()


ODD_FILES = r"""
import os, socket
os.mkdir('d'); open('d/kept', 'w').write('x'); os.chmod('d/kept', 0); os.chmod('d', 0)
os.symlink('/etc/passwd', 'link'); os.symlink('d', 'loop'); os.link('link', 'hard')
os.mkfifo('pipe'); socket.socket(socket.AF_UNIX).bind('socket')
open('line\nbreak', 'w').close(); open(b'\xff\xfe', 'w').close(); open('twin', 'w').write('1')
os.link('twin', 'other')
"""


async def test_what_a_manifest_cannot_hold_is_removed_and_told(tmp_path: Path) -> None:
    bench = Scripts(tmp_path, odd_py=ODD_FILES)

    answer = await bench.run("scripts/odd.py")
    manifest = await bench.workspace.snapshot()
    await bench.workspace.restore(manifest)

    assert answer["exit_code"] == 0, answer
    assert list(bench.workspace.files()) == ["d/kept", "other", "twin"]
    for name in (
        "'link' (it is a link)",
        "'pipe' (it is not a regular",
        r"'line\nbreak' (its name",
    ):
        assert name in answer["not_kept"]
    bench.has("twin", "2")
    assert bench.text_of("other") == "1"


async def test_folders_nested_too_deeply_are_undone_in_words(tmp_path: Path) -> None:
    bench = Scripts(tmp_path, deep_py="import os; os.makedirs('d/' * 40)")

    with pytest.raises(TryAgain, match="nested too deeply"):
        await bench.run("scripts/deep.py")


async def test_no_sandbox_no_scripts(tmp_path: Path) -> None:
    sandbox = ProbedSandbox(Mode.OFF, Limits())
    bench = Bench(tmp_path, [RunSkillScript({"scripts/x.py": b""}, sandbox)])

    with pytest.raises(TryAgain, match=r"OMNIFORGE_SANDBOX=off.*other tools"):
        await bench.call("run_skill_script", script="scripts/x.py")


@pytest.mark.parametrize(
    ("network", "effect"), [(False, EffectClass.READ), (True, EffectClass.ASK)]
)
def test_a_script_with_a_network_may_change_the_world(network: bool, effect: EffectClass) -> None:
    tool = RunSkillScript({}, ProbedSandbox(Mode.AUTO, Limits(network=network)))

    assert tool.effect_of({}) is tool.spec.effect is effect


@pytest.mark.parametrize(
    ("rule", "is_allowed"),
    [
        ("run_skill_script", True),
        ("run_skill_script(scripts/a.py)", True),
        ("run_skill_script(scripts/:*)", True),
        ("run_skill_script(scripts/b.py)", False),
        ("Bash", False),
        ("Bash(python:*)", False),
    ],
)
def test_allowed_tools_speaks_of_scripts_by_their_path(rule: str, is_allowed: bool) -> None:
    tool = RunSkillScript({}, ProbedSandbox(Mode.AUTO, Limits()))
    call = {"args": ["scripts/b.py"], "script": "scripts/a.py"}

    permits = AllowedTools.parse(rule).permits(tool.spec.name, call, tool.spec.parameters)

    assert permits is is_allowed
