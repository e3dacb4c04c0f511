"""`omniforge triggers`."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from omniforge.cli.agents import AgentName, Cursor, Limit
from omniforge.cli.session import Session, on_platform
from omniforge.cli.triggers.times import NONE

if TYPE_CHECKING:
    from omniforge.client.triggering import Trigger

app = typer.Typer(no_args_is_help=True, help="Outside events that agents run on.")


class Provider(StrEnum):
    NOTION = "notion"
    SLACK = "slack"
    GITHUB = "github"
    LINEAR = "linear"
    CUSTOM = "custom"


_NAMES: dict[Provider, Literal["notion", "slack", "github", "linear", "custom"]] = {
    Provider.NOTION: "notion",
    Provider.SLACK: "slack",
    Provider.GITHUB: "github",
    Provider.LINEAR: "linear",
    Provider.CUSTOM: "custom",
}

TriggerId = Annotated[str, typer.Argument(metavar="TRIGGER", help="Its id.")]
Name = Annotated[str | None, typer.Option(help="What people call it.")]
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter", metavar="CEL", help="Only events for which this is true lead to a run."
    ),
]
Mapping = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="NAME=CEL", help="A member of the run's input, from `event`."),
]
MaxPerMinute = Annotated[
    int | None, typer.Option(metavar="N", help="Deliveries beyond that are kept, and not run.")
]
Debounce = Annotated[
    float | None,
    typer.Option(
        "--debounce", metavar="SECONDS", help="Wait for so long a silence, then run once."
    ),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE|-", help="Holds the secret that the service made; - is stdin."),
]


@app.command("list")
@on_platform
async def list_triggers(
    session: Session,
    agent: Annotated[str | None, typer.Option(help="Only of this one (id or name).")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> None:
    """The triggers of the workspace, newest first."""
    of_agent = None if agent is None else (await session.client.agents.find(agent)).id
    page = await session.client.triggers.list(agent_id=of_agent, limit=limit, cursor=cursor)
    if session.out.as_json:
        session.out.document({"triggers": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("ID", "NAME", "AGENT", "FROM", "STATE", "URL"),
        [(one.id, one.name, one.agent_id, one.provider, _state(one), one.url) for one in page],
    )
    if not page:
        session.out.note("No triggers yet. Add one: omniforge triggers add AGENT github")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def show(session: Session, trigger: TriggerId) -> None:
    """One trigger: where its sender posts to, and what becomes of an event."""
    _tell(session, await session.client.triggers.get(trigger))


@app.command()
@on_platform
async def add(
    session: Session,
    agent: AgentName,
    provider: Annotated[Provider, typer.Argument(help="Who sends the events.")],
    name: Name = None,
    only: Filter = None,
    mapping: Mapping = None,
    max_per_minute: MaxPerMinute = None,
    debounce: Debounce = None,
    secret_file: SecretFile = None,
) -> None:
    """Have an agent run on the events of a service. The secret is shown once."""
    found = await session.client.agents.find(agent)
    wishes = _given(
        name=name,
        filter=only,
        mapping=_mapping(mapping),
        max_per_minute=max_per_minute,
        debounce_s=debounce,
        secret=_secret(secret_file),
    )
    made = await session.client.triggers.add(found.id, _NAMES[provider], **wishes)
    _tell(session, made)
    if session.out.as_json:
        return
    _tell_secret(session, made.secret)
    if provider is Provider.NOTION:
        session.out.note(
            "Give Notion the url. It sends a token, which you read with"
            f" omniforge triggers verification-token {made.id}"
        )
    elif made.secret is None and secret_file is None:
        session.out.note(
            "Everything is refused until it has its secret. Give the service the url, then:"
            f" omniforge triggers rotate-secret {made.id} --secret-file -"
        )


@app.command()
@on_platform
async def change(
    session: Session,
    trigger: TriggerId,
    name: Name = None,
    only: Filter = None,
    mapping: Mapping = None,
    max_per_minute: MaxPerMinute = None,
    debounce: Debounce = None,
) -> None:
    """Change what is given, and leave the rest; `none` takes a filter or a mapping away."""
    wishes = _given(name=name, max_per_minute=max_per_minute, debounce_s=debounce)
    if only is not None:
        wishes["filter"] = None if only == NONE else only
    if mapping is not None:
        wishes["mapping"] = None if mapping == [NONE] else _mapping(mapping)
    _tell(session, await session.client.triggers.change(trigger, **wishes))


@app.command()
@on_platform
async def remove(session: Session, trigger: TriggerId) -> None:
    """Take no more deliveries of a trigger. Its runs stay."""
    await session.client.triggers.remove(trigger)
    session.out.note(f"Removed {trigger}.")


@app.command()
@on_platform
async def pause(session: Session, trigger: TriggerId) -> None:
    """Start nothing on its events. They are kept, and can be delivered again."""
    _tell(session, await session.client.triggers.change(trigger, enabled=False))


@app.command()
@on_platform
async def resume(session: Session, trigger: TriggerId) -> None:
    """Start runs on its events again, from now on."""
    _tell(session, await session.client.triggers.change(trigger, enabled=True))


@app.command("rotate-secret")
@on_platform
async def rotate_secret(
    session: Session,
    trigger: TriggerId,
    overlap: Annotated[
        int, typer.Option(min=0, metavar="SECONDS", help="How long the old one still counts.")
    ] = 3_600,
    secret_file: SecretFile = None,
) -> None:
    """Replace the secret. The new one is shown once; the old one counts a while longer."""
    new = await session.client.triggers.rotate_secret(
        trigger, secret=_secret(secret_file), overlap_s=overlap
    )
    if session.out.as_json:
        session.out.document(new)
        return
    _tell_secret(session, new.secret)
    if new.old_valid_until is not None:
        session.out.note(f"The old one counts until {new.old_valid_until:%Y-%m-%d %H:%M:%S} UTC.")


@app.command("verification-token")
@on_platform
async def verification_token(session: Session, trigger: TriggerId) -> None:
    """The token that Notion sent to the trigger's url, for pasting into Notion."""
    token = await session.client.triggers.verification_token(trigger)
    if session.out.as_json:
        session.out.document({"verification_token": token})
    else:
        typer.echo(token)


# ---- from options ------------------------------------------------------------------------------


def _given(**wishes: Any) -> dict[str, Any]:
    return {name: value for name, value in wishes.items() if value is not None}


def _mapping(given: list[str] | None) -> dict[str, str] | None:
    if given is None:
        return None
    pairs = [one.partition("=") for one in given]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise typer.BadParameter(f"{wrong[0]!r} is not NAME=CEL", param_hint="--map")
    return {name: expression for name, _, expression in pairs}


def _secret(file: Path | None) -> str | None:
    """A secret from a file: on the command line, everybody on the machine could read it."""
    if file is None:
        return None
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(
            f"it cannot be read: {error}", param_hint="--secret-file"
        ) from None
    return text.strip()


# ---- words -------------------------------------------------------------------------------------


def _tell(session: Session, trigger: "Trigger") -> None:
    if session.out.as_json:
        session.out.document(trigger)
    else:
        session.out.facts(list(_facts(trigger)))


def _tell_secret(session: Session, secret: str | None) -> None:
    if secret is not None:
        session.out.facts([("secret", secret)])
        session.out.note("This is the only time that the secret is shown.")


def _facts(one: "Trigger") -> Iterator[tuple[str, object]]:
    yield "id", one.id
    yield "name", one.name
    yield "agent", one.agent_id
    yield "from", one.provider
    yield "url", one.url
    yield "state", _state(one)
    yield "filter", one.filter
    for name, expression in (one.mapping or {}).items():
        yield f"input {name}", expression
    yield "at most", f"{one.max_per_minute:,} a minute"
    yield "waits for", f"{one.debounce_s:g} s of silence" if one.debounce_s else ""


def _state(one: "Trigger") -> str:
    return "active" if one.enabled else "paused"
