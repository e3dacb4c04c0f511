"""`omniforge triggers deliveries`, `delivery` and `redeliver`."""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, on_platform
from omniforge.cli.triggers.events import TriggerId
from omniforge.cli.triggers.times import moment

if TYPE_CHECKING:
    from omniforge.client.triggering import Delivery


class Status(StrEnum):
    ACCEPTED = "accepted"
    RUN = "run"
    FILTERED = "filtered"
    MERGED = "merged"
    DEAD = "dead"


class Reason(StrEnum):
    FILTER_FAILED = "filter_failed"
    MAPPING_FAILED = "mapping_failed"
    RATE_CAPPED = "rate_capped"
    TRIGGER_PAUSED = "trigger_paused"
    TRIGGER_REMOVED = "trigger_removed"
    AGENT_NOT_ACTIVE = "agent_not_active"


# Those of which a run is there, or about to be.
_WITH_RUN = frozenset({"accepted", "run", "merged"})


@on_platform
async def deliveries(
    session: Session,
    trigger: TriggerId,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> None:
    """What came for a trigger and what became of it, newest first."""
    from omniforge.agents.triggers.events import DeliveryStatus

    page = await session.client.triggers.deliveries(
        trigger,
        status=None if status is None else DeliveryStatus(status),
        limit=limit,
        cursor=cursor,
    )
    if session.out.as_json:
        session.out.document({"deliveries": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("ID", "RECEIVED", "TYPE", "STATUS", "RUN OR REASON"), [_row(one) for one in page]
    )
    if not page:
        session.out.note("None is like that." if status else "Nothing has come yet.")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@on_platform
async def delivery(
    session: Session,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id.")],
) -> None:
    """One delivery, with what its sender sent."""
    found = await session.client.triggers.delivery(delivery)
    if session.out.as_json:
        session.out.document(found)
        return
    payload = json.dumps(found.payload, ensure_ascii=False)
    session.out.facts([*_delivery_facts(found), ("payload", payload)])


@on_platform
async def redeliver(
    session: Session,
    delivery: Annotated[
        list[str] | None, typer.Argument(metavar="DELIVERY", help="Their ids.")
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(metavar="TRIGGER", help="All of this one that are dead.")
    ] = None,
    reason: Annotated[Reason | None, typer.Option(help="Of those, only these.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Of those, only what came since (UTC).")
    ] = None,
) -> None:
    """Take up again what led to no run and should have."""
    from omniforge.agents.triggers.events import DeadReason

    if bool(delivery) == bool(trigger) or (delivery and (reason or since)):
        raise typer.BadParameter("say which deliveries, or --trigger with --reason and --since")
    if trigger is None:
        again = [await session.client.triggers.redeliver(one) for one in delivery or ()]
        count = len(again)
    else:
        count = await session.client.triggers.redeliver_dead(
            trigger,
            reason=None if reason is None else DeadReason(reason),
            since=None if since is None else moment(since, "UTC", "--since"),
        )
    if session.out.as_json:
        session.out.document({"redelivered": count})
    else:
        typer.echo(f"{count:,} taken up again")


# ---- words -------------------------------------------------------------------------------------


def _row(one: "Delivery") -> tuple[object, ...]:
    at = f"{one.received_at:%Y-%m-%d %H:%M:%S} UTC"
    return (
        one.id,
        at,
        one.event_type,
        one.status,
        _outcome(one),
    )


def _delivery_facts(one: "Delivery") -> Iterator[tuple[str, object]]:
    yield "id", one.id
    yield "trigger", one.trigger_id
    yield "the sender's id", one.delivery_id
    yield "type", one.event_type
    yield "received", f"{one.received_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "status", one.status
    yield "reason", _why(one)
    yield "run", one.execution_id if one.status in _WITH_RUN else ""
    yield "delivered again", f"{one.attempt} times" if one.attempt else ""


def _outcome(one: "Delivery") -> str:
    return one.execution_id or "" if one.status in _WITH_RUN else _why(one)


def _why(one: "Delivery") -> str:
    return ": ".join(filter(None, [one.reason, one.message]))
