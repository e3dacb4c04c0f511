"""Which accounts a run may act on. Imports nothing, because workflows reach it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whose accounts a run uses, at which services, and which ones its agent has fixed."""

    tenant_id: str
    user_id: str
    integrations: tuple[str, ...]
    pinned: Mapping[str, str] = field(default_factory=dict)
