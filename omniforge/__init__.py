"""OmniForge: agents made of standard SKILL.md folders, run durably."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omniforge.client import OmniForgeClient
    from omniforge.errors import OmniForgeError

__all__ = ["OmniForgeClient", "OmniForgeError"]


def __getattr__(name: str) -> Any:
    """Public names are imported when they are used, so that `import omniforge` stays quick."""
    if name == "OmniForgeClient":
        from omniforge.client import OmniForgeClient

        return OmniForgeClient
    if name == "OmniForgeError":
        from omniforge.errors import OmniForgeError

        return OmniForgeError
    raise AttributeError(f"module 'omniforge' has no attribute {name!r}")
