"""Finding out which sandbox works here, and saying why not the better one."""

from pathlib import Path

import pytest

from omniforge.cli.doctor import sandboxing
from omniforge.cli.doctor.check import Check
from omniforge.settings import Settings
from omniforge.tools.sandbox import place, probe, seccomp
from omniforge.tools.sandbox.backends import Native
from omniforge.tools.sandbox.probe import Mode, ProbedSandbox, find_sandbox
from omniforge.tools.sandbox.protocol import Limits, Program, SandboxFailed
from omniforge.tools.sandbox.running import BackendSandbox
from tests.support.requirements import requirement

pytestmark = requirement("SKL-6")


@pytest.fixture
def without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PATH", "/nowhere")


@pytest.fixture
def without_namespaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel that lets nobody make a namespace, as far as the launcher can see."""
    launcher = tmp_path / "launcher"
    launcher.mkdir()
    for module in place.LAUNCHER.glob("*.py"):
        text = module.read_text()
        if module.name == "kernel.py":
            text += "\n\ndef unshare(flags): raise PermissionError(1, 'unshare: not permitted')\n"
        (launcher / module.name).write_text(text)
    monkeypatch.setattr("omniforge.tools.sandbox.backends.LAUNCHER", launcher)


@pytest.mark.usefixtures("without_bubblewrap")
async def test_without_bubblewrap_the_native_one_is_taken_and_it_is_said_why() -> None:
    found = await find_sandbox(Mode.AUTO, Limits())

    assert (found.name, found.reason) == ("native", "bwrap: bubblewrap is not installed")


@pytest.mark.usefixtures("without_bubblewrap", "without_namespaces")
async def test_where_nothing_works_scripts_are_refused_with_the_reasons() -> None:
    sandbox = ProbedSandbox(Mode.AUTO, Limits())

    with pytest.raises(
        SandboxFailed, match=r"bubblewrap is not installed; native: .*not permitted"
    ):
        await sandbox.run(Program(("/bin/true",)))


@pytest.mark.usefixtures("without_bubblewrap")
async def test_who_asks_for_one_kind_gets_no_other() -> None:
    found = await find_sandbox(Mode.BWRAP, Limits())

    assert (found.sandbox, list(found.refused)) == (None, ["bwrap"])


async def test_off_is_off() -> None:
    found = await find_sandbox(Mode.OFF, Limits())

    assert found.sandbox is None


async def test_a_sandbox_that_does_not_keep_a_promise_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here it is one that filters nothing."""
    allow_all = seccomp._op(seccomp._RETURN, seccomp._ALLOW)
    monkeypatch.setattr(seccomp, "filter_program", lambda: allow_all)
    monkeypatch.setattr(
        probe, "_SELF_TEST", probe._SELF_TEST.replace('"privileges": ', '"privileges": 1 + ')
    )

    found = await find_sandbox(Mode.NATIVE, Limits())

    assert found.sandbox is None
    assert "does not keep its promises: an unprivileged user" in found.reason


async def test_it_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = ProbedSandbox(Mode.NATIVE, Limits())
    await sandbox.run(Program(("/bin/true",)))
    monkeypatch.setattr(probe, "find_sandbox", None)

    assert (await sandbox.run(Program(("/bin/true",)))).exit_code == 0


async def test_a_network_is_there_only_when_it_is_granted() -> None:
    look = Program(
        (place.python_inside(), "-c", "import os; print(os.readlink('/proc/self/ns/net'))")
    )
    ours = str(Path("/proc/self/ns/net").readlink())

    granted = await BackendSandbox(Native(), Limits(network=True)).run(look)
    usual = await BackendSandbox(Native(), Limits()).run(look)

    assert granted.stdout.decode().strip() == ours
    assert usual.stdout.decode().strip() != ours


def test_a_processor_nobody_knows_has_no_filter_and_so_no_sandbox() -> None:
    assert not seccomp.is_known("sparc64")
    assert seccomp.filter_program("aarch64") != seccomp.filter_program("x86_64")


async def doctors(mode: str) -> Check:
    return await sandboxing.sandbox(Settings.model_validate({"sandbox": mode}))


@pytest.mark.usefixtures("without_bubblewrap")
async def test_the_doctor_tells_what_would_be_better() -> None:
    check = await doctors("auto")

    assert check.state == "ok"
    assert check.found.startswith("native: namespaces, ")
    assert "bubblewrap is not installed" in check.found
    assert "make setup-system" in check.advice


@pytest.mark.usefixtures("without_bubblewrap", "without_namespaces")
async def test_the_doctor_warns_where_scripts_would_be_refused() -> None:
    check = await doctors("auto")

    assert check.state == "warn"
    assert "scripts of skills are refused" in check.found
    assert "docs/sandbox.md" in check.advice


async def test_the_doctor_takes_off_for_what_it_is() -> None:
    assert "switched off" in (await doctors("off")).found
    assert (await doctors("native")).state == "ok"
