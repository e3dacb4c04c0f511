"""What scripts of skills would run in on this machine."""

from typing import TYPE_CHECKING

from omniforge.cli.doctor.check import OK, WARN, Check
from omniforge.tools.sandbox.probe import Found, Mode, find_sandbox
from omniforge.tools.sandbox.protocol import Limits

if TYPE_CHECKING:
    from omniforge.settings import Settings

_NAME = "Sandbox"
_INSTALL = "`make setup-system` installs bubblewrap."
_PERMIT = (
    "Install bubblewrap with `make setup-system`, and let users make namespaces; in a container, its"
    " seccomp profile must permit that. See docs/sandbox.md."
)


async def sandbox(settings: "Settings") -> Check:
    """Starts one, so what is told here is what a worker of this machine would find."""
    mode = Mode(settings.sandbox)
    if mode is Mode.OFF:
        return Check(_NAME, OK, "switched off (OMNIFORGE_SANDBOX): scripts of skills are refused")
    found = await find_sandbox(mode, Limits())
    if found.sandbox is None:
        told = f"none works, so scripts of skills are refused: {found.reason}"
        return Check(_NAME, WARN, told, _PERMIT)
    return Check(_NAME, OK, f"{found.name}: {found.layers}{_better(found)}", _advice(found))


def _better(found: Found) -> str:
    return f" ({found.reason})" if found.refused else ""


def _advice(found: Found) -> str:
    return _INSTALL if "not installed" in found.reason else ""
