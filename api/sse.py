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
        events = await mine.read(partial(_page, stream_id, after))
        for event in events:
            after = event.seq
            yield _sent(event)
            if event.body.type == "run_finished":
                return
        if not events:
            await bell.wait(rung)


def _page(stream_id: str, after: int, db: Repositories) -> list[Event]:
    return db.runs.events(stream_id, after, PAGE)


def _sent(event: Event) -> ServerSentEvent:
    return ServerSentEvent(id=str(event.seq), event=event.body.type, data=event)
