"""One tool call's way to a service: as one account, until a deadline, repeating what may be repeated."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from omniforge.errors import (
    ConnectionBroken,
    Observation,
    OutcomeUnknown,
    ServiceRefused,
    ServiceUnavailable,
    WriteHeld,
)
from omniforge.integrations.http.calls import Answer, Call
from omniforge.integrations.http.limits import UNTOLD_WAIT, Pace, seconds_to_wait
from omniforge.integrations.http.service import Finding, Service, Verdict
from omniforge.integrations.http.tokens import Token, TokenSource
from omniforge.integrations.http.transport import Lost, NotSent, Transport
from omniforge.tools.wording import listed

log = logging.getLogger(__name__)

MAX_TRIES = 4

PaceOf = Callable[[Token, Call], Pace]


@dataclass(frozen=True, slots=True)
class _Setback:
    """What stood in the way of a call. `pause` is None where repeating it would not help or not be safe."""

    error: Observation
    pause: float | None = None
    is_of_token: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """Sends calls and judges what comes back, so that a client sees good answers only.

    A read is repeated after anything that may pass; a write only after what proves that nothing was
    done. After any other failure of a write nobody knows.
    """

    transport: Transport
    tokens: TokenSource
    pace_of: PaceOf
    deadline: float
    """By the event loop's clock. Nothing is on the wire after it."""
    reads_only: bool
    first_pause: float
    memory: dict[str, Any] = field(default_factory=dict)
    """What a client keeps from call to call, such as the names of people. One connection's own."""

    async def send(self, call: Call) -> Answer:
        """
        Raises:
            WriteHeld: It would change something, and this session may not.
            RateLimited, ServiceUnavailable, ServiceAnswerInvalid: It failed, and nothing was done.
            OutcomeUnknown: It would change something, and nobody knows whether it did.
            ConnectionBroken: The account has to be connected anew.
            ServiceRefused: The service said no; the message has its words.
        """
        self._hold_writes(call)
        token = await self._token()
        has_new_token = False
        number = 1
        while True:
            outcome = await self._try(call, token, self.first_pause * 2 ** (number - 1))
            if isinstance(outcome, Answer):
                return outcome
            if outcome.is_of_token and not has_new_token:
                token, has_new_token = await self._newer(token), True
            elif outcome.pause is None or self._left <= outcome.pause or number >= MAX_TRIES:
                raise outcome.error
            else:
                await asyncio.sleep(outcome.pause)
            number += 1

    @property
    def _service(self) -> Service:
        return self.transport.service

    @property
    def _left(self) -> float:
        return self.deadline - asyncio.get_running_loop().time()

    def _hold_writes(self, call: Call) -> None:
        if self.reads_only and not self._service.dialect.only_reads(call):
            raise WriteHeld(
                f"Only reading is allowed here, so nothing was sent to {self._service.title}.",
                call.shown(self.transport.base_url),
            )

    async def _token(self, refresh_from: str | None = None) -> Token:
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.tokens.token(refresh_from)
        except TimeoutError:
            raise ServiceUnavailable(
                f"The token for {self._service.title} did not come in time; nothing was sent."
            ) from None

    async def _newer(self, refused: Token) -> Token:
        token = await self._token(refresh_from=refused.secret)
        if token.secret == refused.secret:
            raise self._broken(refused, Verdict(Finding.UNKNOWN_TOKEN))
        return token

    async def _try(self, call: Call, token: Token, pause: float) -> Answer | _Setback:
        is_read = self._service.dialect.only_reads(call)
        pace, title = self.pace_of(token, call), self._service.title
        headers = dict(self._service.dialect.headers(token))
        try:
            async with pace.turn(self.deadline):
                answer = await self.transport.exchange(call, headers, self.deadline)
        except NotSent as error:
            self._log(call, str(error))
            return _Setback(
                ServiceUnavailable(f"{title} cannot be reached ({error}). Nothing was sent."), pause
            )
        except Lost as error:
            self._log(call, error.reason)
            if not is_read:
                return _Setback(OutcomeUnknown(f"{title} was asked, but {error.reason}."))
            may_pass = error.error is ServiceUnavailable
            said = f"{title} could not be read: {error.reason}."
            return _Setback(error.error(said), pause if may_pass else None)
        return self._judged(call, token, answer, pace, pause)

    def _judged(
        self, call: Call, token: Token, answer: Answer, pace: Pace, pause: float
    ) -> Answer | _Setback:
        service = self._service
        verdict = service.dialect.judge(answer, service.limits)
        if wait := seconds_to_wait(answer.headers, service.limits):
            pace.hold(wait)
        if verdict.finding is Finding.FINE:
            return answer
        self._log(call, verdict.finding.name.casefold(), answer.status)
        match verdict.finding:
            case Finding.LIMITED:
                wait = UNTOLD_WAIT if verdict.wait is None else verdict.wait
                pace.hold(wait)
                return _Setback(pace.limited(wait), 0.0)
            case Finding.COLLIDED:
                said = f"{service.title}: {verdict.said}. Nothing was done."
                return _Setback(ServiceUnavailable(said), pause)
            case Finding.UNKNOWN_TOKEN | Finding.NOT_ENTITLED:
                is_of_token = verdict.finding is Finding.UNKNOWN_TOKEN
                return _Setback(self._broken(token, verdict), is_of_token=is_of_token)
            case Finding.FAILED if service.dialect.only_reads(call):
                return _Setback(
                    ServiceUnavailable(f"{service.title} failed: {verdict.said}."), pause
                )
            case Finding.FAILED:
                return _Setback(
                    OutcomeUnknown(
                        f"{service.title} failed: {verdict.said}. It may have acted all the same."
                    )
                )
        nothing = "" if service.dialect.only_reads(call) else " Nothing was done."
        return _Setback(ServiceRefused(f"{service.title}: {verdict.said}.{nothing}"))

    def _broken(self, token: Token, verdict: Verdict) -> ConnectionBroken:
        title = self._service.title
        why = f"{title} does not accept the connected account's token any more"
        if verdict.missing:
            why = f"{title} was connected without the right to do this ({listed(verdict.missing)})"
        elif verdict.finding is Finding.NOT_ENTITLED:
            why = f"{title} lets the connected account do this only after more is allowed"
        said = f" It says: {verdict.said}." if verdict.said else ""
        return ConnectionBroken(
            f"{why}. Somebody has to connect it again.{said}",
            token.connection_id,
            verdict.missing,
            version=token.version,
        )

    def _log(self, call: Call, reason: str, status: int | None = None) -> None:
        """Neither headers, which hold secrets, nor queries, bodies and answers, which hold people's words."""
        log.info(
            "service_call_failed",
            extra={
                "service": self._service.name,
                "method": call.method,
                "path": call.path,
                "status": status,
                "reason": reason,
            },
        )
