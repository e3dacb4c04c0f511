"""Doing something and writing down who did it, as one."""

from collections.abc import Callable
from typing import Any, TypeVar

from omniforge.identity import Principal
from omniforge.store.audit import Act, Actor
from omniforge.store.store import Repositories, TenantStore

T = TypeVar("T")


class AuditedStore:
    """A tenant's store in the hands of one caller. Details that are written down hold no secret."""

    def __init__(self, mine: TenantStore, caller: Principal, address: str) -> None:
        self._mine, self.caller = mine, caller
        self._actor = Actor(caller.user_id, caller.credential, address)

    async def write(
        self, act: Act, subject: str, work: Callable[[Repositories], T], **details: Any
    ) -> T:
        """Do the work and write it down, in one transaction."""

        def both(db: Repositories) -> T:
            done = work(db)
            self.record(db, act, subject, **details)
            return done

        return await self._mine.write(both)

    def record(self, db: Repositories, act: Act, subject: str, **details: Any) -> None:
        """Write down what this transaction does."""
        db.audit.add(self._actor, act, subject, details)

    async def note(self, act: Act, subject: str, **details: Any) -> None:
        """Write down what a workflow has done for the caller."""
        await self._mine.write(lambda db: self.record(db, act, subject, **details))
