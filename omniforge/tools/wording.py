"""How tools put names and values into sentences that a model reads."""

import difflib
import json
from collections.abc import Iterable

from omniforge.journal.steps import Json


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name a writer most likely meant, case aside; None when nothing comes close."""
    wanted, by_folded = name.strip().casefold(), {each.casefold(): each for each in known}
    found = difflib.get_close_matches(wanted, by_folded, n=1, cutoff=0.6)
    if not found and len(wanted) >= 3:
        found = [each for each in by_folded if wanted in each]
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, with the leading space, or nothing."""
    meant = nearest(name, known)
    return f" Did you mean {meant!r}?" if meant is not None else ""


def listed(names: Iterable[object], limit: int = 20) -> str:
    every = [str(name) for name in names]
    rest = f" and {len(every) - limit} more" if len(every) > limit else ""
    return (", ".join(every[:limit]) or "none") + rest


def shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def shown(value: Json, limit: int = 60) -> str:
    """A JSON value as it would be written, cut to a length that fits into a sentence."""
    return shortened(json.dumps(value, ensure_ascii=False, default=str), limit)


def counted(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
