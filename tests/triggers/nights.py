"""The nights in which clocks change, as docs/schedules.md tells them and as the server answers.

`python -m tests.triggers.nights` writes the tables of that page anew.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from temporalio.client import Client

from tests.docs.pages import ROOT
from tests.support.platform import temporal_server
from tests.triggers.asked import spec, times

PAGE = ROOT / "docs" / "schedules.md"

EXPRESSIONS = (
    *("30 1 * * *", "0 2 * * *", "30 2 * * *", "30 2 * * 0", "0 3 * * *", "0 0 * * *", "@daily"),
    *("0 * * * *", "*/15 * * * *", "*/15 2 * * *"),
)

_UNTIL = time(3, 59)
_HEADING = re.compile(r"^### (?P<zone>\S+), (?P<day>\d+ \w+ \d{4})", re.MULTILINE)
_ROW = re.compile(r"^\| `(?P<expression>[^`]+)` \| (?P<fires>[^|]*) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Night:
    zone: str
    day: date

    @property
    def hours(self) -> tuple[datetime, datetime]:
        """From midnight to 03:59 by the clocks of the zone."""
        zone = ZoneInfo(self.zone)
        first = datetime.combine(self.day, time(), zone)
        last = datetime.combine(self.day, _UNTIL, zone)
        return first.astimezone(UTC), last.astimezone(UTC)

    async def fires(self, client: Client, expression: str) -> str:
        """The cell of a table: times by the clocks, and `again` at the second time that they show one."""
        zone = ZoneInfo(self.zone)
        local = [
            each.astimezone(zone)
            for each in await times(client, spec(expression, self.zone), *self.hours)
        ]
        shown = [f"{each:%H:%M}{' again' if each.fold else ''}" for each in local]
        return ", ".join(shown) or "none"


@dataclass(frozen=True)
class Table:
    """A night's table in the page, and where it stands in the text."""

    night: Night
    rows: dict[str, str]
    start: int
    end: int


def tables(text: str) -> Iterator[Table]:
    headings = [*_HEADING.finditer(text)]
    for heading in headings:
        end = next((at for at in _ends(text) if at > heading.end()), len(text))
        rows = [*_ROW.finditer(text, heading.end(), end)]
        day = datetime.strptime(heading["day"], "%d %B %Y").date()  # noqa: DTZ007 - a day alone
        yield Table(
            Night(heading["zone"], day),
            {row["expression"]: row["fires"] for row in rows},
            rows[0].start(),
            rows[-1].end(),
        )


def _ends(text: str) -> list[int]:
    return [found.start() for found in re.finditer(r"^#", text, re.MULTILINE)]


async def _write() -> None:
    text = PAGE.read_text()
    async with temporal_server() as server:
        for table in reversed([*tables(text)]):
            cells = [
                f"| `{each}` | {await table.night.fires(server.client, each)} |"
                for each in EXPRESSIONS
            ]
            text = text[: table.start] + "\n".join(cells) + text[table.end :]
    PAGE.write_text(text)


if __name__ == "__main__":
    asyncio.run(_write())
    os._exit(0)  # the Temporal SDK can crash in the interpreter's own ending
