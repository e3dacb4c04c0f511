"""One thing that was looked at."""

from dataclasses import dataclass
from typing import Final, Literal

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """`found` says how it is; `advice` what to do, where there is something to do."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""
