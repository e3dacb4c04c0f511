"""OmniForge: agents made of standard SKILL.md folders, run durably."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omniforge.client import OmniForgeClient
    from omniforge.errors import OmniForgeError, OutcomeUnknown, TryAgain
    from omniforge.tools.functions import tool
    from omniforge.tools.protocol import ToolCallContext

__all__ = [
    "OmniForgeClient",
    "OmniForgeError",
    "OutcomeUnknown",
    "ToolCallContext",
    "TryAgain",
    "tool",
]

_HOMES = {
    "OmniForgeClient": "omniforge.client",
    "OmniForgeError": "omniforge.errors",
    "OutcomeUnknown": "omniforge.errors",
    "ToolCallContext": "omniforge.tools.protocol",
    "TryAgain": "omniforge.errors",
    "tool": "omniforge.tools.functions",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when they are used, so that `import omniforge` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'omniforge' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
