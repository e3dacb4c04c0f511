"""Who acts, and the ids everything carries."""

import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    BUILDER = "builder"
    OPERATOR = "operator"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Principal:
    """Tenant, user and role of a caller. Comes from a credential and from nowhere else."""

    tenant_id: str
    user_id: str
    role: Role


def new_id(prefix: str) -> str:
    """`<prefix>_` and 26 characters that sort by the millisecond they were made in (the ULID layout)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return f"{prefix}_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))
