"""From options to a client, and from an error to an exit status."""

import asyncio
import functools
import inspect
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, NoReturn, ParamSpec, cast

import typer

from omniforge.cli.exits import ExitCode
from omniforge.cli.output import Output

if TYPE_CHECKING:
    from omniforge.client import OmniForgeClient
    from omniforge.errors import OmniForgeError

P = ParamSpec("P")

ApiUrl = Annotated[
    str | None,
    typer.Option(envvar="OMNIFORGE_API_URL", help="The platform. Default: the one of this folder."),
]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="OMNIFORGE_API_KEY", help="Default: the key of this folder."),
]
TemporalAddress = Annotated[
    str, typer.Option(envvar="TEMPORAL_ADDRESS", help="Where the Temporal server is.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of text.")]

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "api_url": (ApiUrl, None),
    "api_key": (ApiKey, None),
    "as_json": (AsJson, False),
}


def json_object(text: str) -> dict[str, Any]:
    """What an option says: a JSON object, or `@` and the file that holds it."""
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        data = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise typer.BadParameter(f"it is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise typer.BadParameter("it has to be a JSON object, such as {}")
    return data


# A person at a prompt wants to know soon that nothing answers.
_PATIENCE = 1.0


@dataclass
class Session:
    """What a command works with. `if_interrupted` is said when Ctrl-C ends it."""

    client: "OmniForgeClient"
    out: Output
    if_interrupted: str = "Stopped."


Work = Callable[Concatenate[Session, P], Coroutine[Any, Any, None]]


def on_platform(work: Work[P]) -> Callable[..., None]:
    """A command from a coroutine function: it gets a session and the options that make one."""

    @functools.wraps(work)
    def command(
        *args: Any, api_url: str | None, api_key: str | None, as_json: bool, **named: Any
    ) -> None:
        out = Output(as_json)
        session: list[Session] = []

        async def connected() -> None:
            from omniforge.cli.credentials import sign_in
            from omniforge.client import OmniForgeClient

            known = sign_in(api_url, api_key)
            async with OmniForgeClient(known.api_key, known.api_url, patience=_PATIENCE) as client:
                session.append(Session(client, out))
                await work(session[0], *args, **named)

        _carry_out(connected, out, lambda: session[0].if_interrupted if session else "Stopped.")

    own = list(inspect.signature(work).parameters.values())[1:]
    ours = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _OPTIONS.items()
    ]
    # typer reads both.
    cast(Any, command).__signature__ = inspect.Signature([*own, *ours])
    command.__annotations__ = {one.name: one.annotation for one in (*own, *ours)}
    return command


def _carry_out(
    work: Callable[[], Coroutine[Any, Any, None]], out: Output, parting: Callable[[], str]
) -> None:
    from omniforge.errors import OmniForgeError

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        out.note(parting())
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except OmniForgeError as error:
        leave(error, out)


def leave(error: "OmniForgeError", out: Output) -> NoReturn:
    """End a command with what an error says."""
    from omniforge.client import ApiError, PlatformUnreachable
    from omniforge.errors import Unauthenticated

    code = error.problem_code if isinstance(error, ApiError) else error.code
    out.error(code, error.message, _hint(error))
    no_platform = isinstance(error, PlatformUnreachable | Unauthenticated)
    raise typer.Exit(ExitCode.NO_PLATFORM if no_platform else ExitCode.FAILED) from None


def _hint(error: "OmniForgeError") -> str:
    hints = {
        "unauthenticated": "`omniforge doctor` tells where the key comes from.",
        "platform_unreachable": "`omniforge doctor` tells what is missing.",
        "skill_invalid": "`omniforge validate PATH` lists everything that is wrong.",
        "plan_invalid": "`omniforge validate PATH` lists everything that is wrong with a folder's plan.",
        "agent_not_active": "Activate it with `omniforge agents activate AGENT`.",
        "agent_not_found": "`omniforge agents list` shows what there is.",
        "execution_not_found": "`omniforge runs list` shows what there is.",
    }
    return hints.get(error.code, "")
