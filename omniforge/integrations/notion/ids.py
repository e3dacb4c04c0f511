"""Notion's ids, as people have them: with dashes, without, or inside the address of a page."""

import re
from urllib.parse import parse_qs, urlsplit

from omniforge.errors import TryAgain
from omniforge.tools.wording import shortened

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}(?![0-9a-f])")


def id_of(given: str, whose: str) -> str:
    """The id with dashes.

    Raises:
        TryAgain: There is none in what was given.
    """
    text = given.strip()
    if "://" in text:
        address = urlsplit(text)
        # A page that is open beside its database is the address's `p`.
        text = parse_qs(address.query).get("p", [address.path])[0]
    found = _ID.findall(text.casefold())
    if not found:
        raise TryAgain(
            f"{shortened(given)!r} is not {whose} id or address. notion_search finds pages and databases."
        )
    digits = found[-1].replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
