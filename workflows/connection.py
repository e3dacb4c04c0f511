"""One connection: the only one who refreshes its tokens, from consent to disconnection."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.connections import ConnectionActivities
    from activities.payloads import ConnectionRef, ConnectionState, Freshen
    from omniforge.integrations.oauth.connection import ConnectionStatus
    from workflows.attributes import CONNECTION, DISCONNECT, FRESHEN, LOOK_AGAIN
    from workflows.policies import BOOKKEEPING, REFRESH

# So long before a token ends it is refreshed; of one that lives shorter, at four fifths of its life.
EARLY = timedelta(minutes=10)
# A service that is down is asked again so often, until the token ends and beyond.
PAUSE_AFTER_FAILURE = timedelta(seconds=30)
# The server takes 2,000 updates of one execution.
UPDATES_OF_ONE_HISTORY = 1_000


@workflow.defn(name=CONNECTION)
class ConnectionWorkflow:
    @workflow.init
    def __init__(self, ref: ConnectionRef) -> None:
        self._ref = ref
        self._state: ConnectionState | None = None
        self._seen_at = workflow.now()
        self._not_before = self._seen_at
        """When a service that has failed is asked again, unless somebody needs a token before."""
        self._is_stale = False
        self._updates = 0
        self._refreshing = asyncio.Lock()

    @workflow.run
    async def run(self, ref: ConnectionRef) -> ConnectionStatus:
        state = self._seen(await self._look())
        while True:
            if not (_is_tended(state) or self._is_stale):
                await workflow.wait_condition(workflow.all_handlers_finished)
                if not self._is_stale:
                    return state.status
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(self._has_news, timeout=self._rest(state))
            if self._is_over_long():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(ref)
            state = await self._tend()

    async def _tend(self) -> ConnectionState:
        """Look again when something has happened, else bring the next pair in good time."""
        async with self._refreshing:
            if self._is_stale or self._state is None:
                self._is_stale = False
                return self._seen(await self._look())
            if self._rest(self._state) != timedelta(0):
                return self._state
            try:
                return await self._refresh(Freshen(connection=self._ref, known=self._state.version))
            except ActivityError:
                self._not_before = workflow.now() + PAUSE_AFTER_FAILURE
                return self._state

    @workflow.update(name=FRESHEN)
    async def freshen(self, wanted: Freshen) -> ConnectionState:
        """A newer pair than the one its caller knows. All who ask at once cause one refresh."""
        self._updates += 1
        async with self._refreshing:
            state = self._state or self._seen(await self._look())
            if state.status is ConnectionStatus.ACTIVE and state.version <= wanted.known:
                try:
                    state = await self._refresh(wanted)
                except ActivityError as error:
                    raise _told(error) from error
        return state

    @workflow.update(name=DISCONNECT)
    async def disconnect(self) -> ConnectionState:
        async with self._refreshing:
            return self._seen(
                await workflow.execute_activity_method(
                    ConnectionActivities.disconnect, self._ref, **REFRESH
                )
            )

    @workflow.signal(name=LOOK_AGAIN)
    def look_again(self) -> None:
        """It was connected anew."""
        self._is_stale = True

    # ---- inside ------------------------------------------------------------------------------

    def _has_news(self) -> bool:
        is_over = self._state is not None and not _is_tended(self._state)
        return self._is_stale or is_over or self._is_over_long()

    def _is_over_long(self) -> bool:
        suggested = workflow.info().is_continue_as_new_suggested()
        return suggested or self._updates >= UPDATES_OF_ONE_HISTORY

    def _rest(self, state: ConnectionState) -> timedelta | None:
        """How long nothing is to be done; None for as long as nothing happens."""
        if state.expires_at is None or not _is_tended(state):
            return None
        life = state.expires_at - self._seen_at
        due = max(state.expires_at - min(EARLY, life / 5), self._not_before)
        return max(timedelta(0), due - workflow.now())

    def _seen(self, state: ConnectionState) -> ConnectionState:
        if self._state is None or state.version != self._state.version:
            self._seen_at = workflow.now()
        self._state = state
        return state

    async def _look(self) -> ConnectionState:
        return await workflow.execute_local_activity_method(
            ConnectionActivities.connection_state, self._ref, **BOOKKEEPING
        )

    async def _refresh(self, wanted: Freshen) -> ConnectionState:
        return self._seen(
            await workflow.execute_activity_method(
                ConnectionActivities.refresh_connection, wanted, **REFRESH
            )
        )


def _is_tended(state: ConnectionState) -> bool:
    """Whether there is anything to do for it, now or later. One that is connected anew is looked at anew."""
    return state.status is ConnectionStatus.ACTIVE and state.is_refreshed


def _told(error: ActivityError) -> ApplicationError:
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return ApplicationError(cause.message, type=cause.type)
    return ApplicationError("The tokens could not be refreshed.", type="token_unknown")
