"""Telling a secret from a setting, where secrets have no safe place yet."""

import re
from collections.abc import Mapping

import httpx2

from omniforge.errors import McpServerInvalid

_TELLING_NAME = re.compile(
    r"auth|token|secret|passw|passphrase|credential|cookie|session|signature|jwt|api-?_?key|"
    r"access-?_?key|private-?_?key|(^|[-_])(key|sig|pat|pwd)$",
    re.IGNORECASE,
)
_TELLING_VALUE = re.compile(
    r"^(bearer|basic|token|digest)\s+\S|^(sk|pk|rk|ghp|gho|ghs|xox[a-z]|glpat|lin_api|secret|ntn)[-_]|"
    r"^eyJ[\w-]+\.|^[A-Za-z0-9+/=_-]{32,}$",
    re.IGNORECASE,
)

_WHERE = (
    "Secrets of a workspace cannot be kept safely yet, so they are not taken. An operator can set the"
    " server up in the file OMNIFORGE_MCP_SERVERS, with the secret in the worker's environment."
)


def refuse_credentials(url: str, headers: Mapping[str, str]) -> None:
    """Refuse what looks like a secret in a header or in a URL.

    Raises:
        McpServerInvalid: The message names the place, never the value.
    """
    for name, value in headers.items():
        if _looks_secret(name, value):
            raise McpServerInvalid(f"The header {name!r} looks like a credential. {_WHERE}")
    parsed = httpx2.URL(url)
    if any(_looks_secret(name, value) for name, value in parsed.params.multi_items()):
        raise McpServerInvalid(f"The query of the URL looks like it has a credential. {_WHERE}")
    if any(map(_TELLING_VALUE.search, parsed.path.split("/"))):
        raise McpServerInvalid(f"The path of the URL looks like it has a credential. {_WHERE}")


def _looks_secret(name: str, value: str) -> bool:
    return bool(_TELLING_NAME.search(name) or _TELLING_VALUE.search(value.strip()))
