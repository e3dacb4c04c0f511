"""What is asked of a service, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2

from omniforge.errors import TryAgain
from omniforge.journal.steps import Json


@dataclass(frozen=True, slots=True)
class Call:
    """One request, without what every request of a connection carries. Queries of None are left out."""

    method: str
    path: str
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    json: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def shown(self, base_url: str) -> dict[str, object]:
        """The request as people are shown it, without anything secret."""
        return {"method": self.method, "url": str(self.url(base_url)), "body": self.json}

    def url(self, base_url: str) -> httpx2.URL:
        given = {name: value for name, value in self.query.items() if value is not None}
        url = httpx2.URL(base_url.rstrip("/") + self.path)
        return url.copy_merge_params(given) if given else url


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. The body is None when there was none, and when an error was not told in JSON."""

    status: int
    headers: httpx2.Headers
    body: Any = None

    @property
    def is_error(self) -> bool:
        return self.status >= 300


def path(*segments: str | int) -> str:
    """A path of segments, each escaped, so that none of them can lead elsewhere.

    Raises:
        TryAgain: One is empty, or is a step to another folder.
    """
    for segment in segments:
        if str(segment) in {"", ".", ".."}:
            raise TryAgain(f"{str(segment)!r} cannot be part of an address.")
    return "/" + "/".join(quote(str(segment), safe="") for segment in segments)
