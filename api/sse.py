"""A run's events as a stream that can be cut and taken up again anywhere."""

from collections.abc import AsyncIterator
from functools import partial

from fastapi.sse import ServerSentEvent

from omniforge.journal.events import Event
from omniforge.store.bell import Bell
from omniforge.store.store import Repositories, TenantStore

PAGE = 200


async def tail(
    mine: TenantStore, bell: Bell, stream_id: str, after: int
) -> AsyncIterator[ServerSentEvent]:
    """Events after a number, in order, until the run's last one. Each `id` is its number."""
    while True:
        rung = bell.next_ring()
        events, is_over = await mine.read(partial(_page, stream_id, after))
        for event in events:
            after = event.seq
            yield _sent(event)
        if is_over:
            return
        if not events:
            await bell.wait(rung)


def _page(stream_id: str, after: int, db: Repositories) -> tuple[list[Event], bool]:
    """The next events, and whether nothing comes after them, as both are at one moment.

    A run that was taken up again has told of its end before, and tells of it once more.
    """
    events = db.runs.events(stream_id, after, PAGE)
    return events, len(events) < PAGE and db.runs.get(stream_id).status.is_final


def _sent(event: Event) -> ServerSentEvent:
    return ServerSentEvent(id=str(event.seq), event=event.body.type, data=event)
