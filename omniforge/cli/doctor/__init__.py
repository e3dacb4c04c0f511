"""`omniforge doctor`: what is wrong with a platform, and what to do."""

import asyncio
from typing import TYPE_CHECKING

import typer

from omniforge.cli.exits import ExitCode
from omniforge.cli.output import Output
from omniforge.cli.session import ApiKey, ApiUrl, AsJson, TemporalAddress

if TYPE_CHECKING:
    from omniforge.cli.doctor.check import Check


def doctor(
    api_url: ApiUrl = None,
    api_key: ApiKey = None,
    temporal_address: TemporalAddress = "localhost:7233",
    as_json: AsJson = False,
) -> None:
    """Find out what is wrong and what to do about it. Changes nothing."""
    from omniforge.cli.doctor.check import FAIL
    from omniforge.cli.doctor.examination import examine

    out = Output(as_json)
    checks: list[Check] = []

    def seen(check: "Check") -> None:
        checks.append(check)
        if not as_json:
            _print(out, check)

    asyncio.run(examine(seen, api_url, api_key, temporal_address))
    failed = sum(check.state == FAIL for check in checks)
    if as_json:
        out.document({"checks": checks, "failed": failed})
    else:
        out.note("All is well." if not failed else f"{failed} of {len(checks)} checks failed.")
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def _print(out: Output, check: "Check") -> None:
    from rich.text import Text

    from omniforge.cli.output import STYLES, one_line

    line = Text.assemble((f"{check.state:<5}", STYLES[check.state]), f"{check.name:<13}")
    line.append(one_line(check.found))
    if check.advice:
        line.append(f"\n{'':18}-> {one_line(check.advice)}", "bold")
    out.console.print(line)
