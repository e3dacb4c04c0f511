"""What the HTTP layer has to know of a service, and how a service's answers are judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from omniforge.integrations.http.calls import Answer, Call
from omniforge.integrations.http.limits import Limits, seconds_to_wait
from omniforge.integrations.http.tokens import Token
from omniforge.tools.wording import shortened

MAX_SAID = 500


class Finding(Enum):
    """What an answer means for the call."""

    FINE = auto()
    LIMITED = auto()
    """Nothing was done; it may be asked again later."""
    COLLIDED = auto()
    """Nothing was done, because something else was going on there; it may be asked again in a moment."""
    UNKNOWN_TOKEN = auto()
    """Nothing was done; with a newer token it may be."""
    NOT_ENTITLED = auto()
    """Nothing was done, and nothing will be until the account is connected with more rights."""
    REFUSED = auto()
    """Nothing was done, and the caller can do something about it."""
    FAILED = auto()
    """Nobody knows whether something was done."""


@dataclass(frozen=True, slots=True)
class Verdict:
    finding: Finding
    said: str = ""
    """What is wrong, as half a sentence: it follows on `GitHub: `."""
    wait: float | None = None
    """Seconds until a limit ends, as far as the service says so."""
    missing: tuple[str, ...] = ()
    """Scopes that the token lacks."""


FINE = Verdict(Finding.FINE)

_BY_STATUS = {401: Finding.UNKNOWN_TOKEN, 408: Finding.FAILED, 429: Finding.LIMITED}


class Dialect:
    """How a service speaks. This is plain REST; a service that differs overrides what differs."""

    def headers(self, token: Token) -> Mapping[str, str]:
        return {"authorization": f"Bearer {token.secret}", "accept": "application/json"}

    def only_reads(self, call: Call) -> bool:
        """Whether a call changes nothing. Decides what may be repeated, and what a rehearsal may send."""
        return call.method in {"GET", "HEAD"}

    def lane(self, call: Call) -> str:
        """Which of the service's limits a call counts toward; those of other lanes go on meanwhile."""
        return ""

    def said(self, answer: Answer) -> str:
        """The service's own words about what is wrong."""
        body = answer.body
        if isinstance(body, dict):
            found = body.get("message") or body.get("error_description") or body.get("error")
            return found if isinstance(found, str) else ""
        return ""

    def judge(self, answer: Answer, limits: Limits) -> Verdict:
        if not answer.is_error:
            return FINE
        finding = Finding.FAILED if answer.status >= 500 else Finding.REFUSED
        finding = _BY_STATUS.get(answer.status, finding)
        said = shortened(" ".join(self.said(answer).split()), MAX_SAID)
        if answer.status < 400:
            # Without the query, in which some services put tokens.
            target = answer.headers.get("location", "").partition("?")[0]
            said = f"it redirects to {shortened(target, 200)!r}, which was not followed"
        said = f"{said} (status {answer.status})" if said else f"status {answer.status}"
        wait = seconds_to_wait(answer.headers, limits) if finding is Finding.LIMITED else None
        return Verdict(finding, said, wait)


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the HTTP layer knows it. `base_url` is its public address."""

    name: str
    title: str
    base_url: str
    dialect: Dialect = field(default_factory=Dialect)
    limits: Limits = field(default_factory=Limits)
