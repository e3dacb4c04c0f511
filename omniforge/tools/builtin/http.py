"""HTTP requests to the open internet: reading, and sending with a known outcome."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2

from omniforge.errors import GaveUp, OutcomeUnknown, TryAgain
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.builtin.exchange import Answer, Outgoing, checked_headers, exchange
from omniforge.tools.egress import Destination, Egress
from omniforge.tools.parameters import parameters, text
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec
from omniforge.tools.wording import counted, shortened

MAX_REDIRECTS = 5
TIMEOUT = timedelta(seconds=30)
# Stripe forgets idempotency keys after 24 hours; most providers that take them keep them as long.
KEY_LIFETIME = timedelta(hours=24)

# The tool's own words about a time-out are better than the gateway's, so it gives up a little earlier.
_SHARE_OF_TIMEOUT = 0.9
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE_ELSEWHERE = frozenset({"accept", "accept-language", "user-agent"})
_AGENT = {"user-agent": "OmniForge", "accept": "application/json, text/*;q=0.9, */*;q=0.5"}

_URL = text("The address, with http:// or https://. No user name or password in it.", minLength=1)
_QUERY = {
    "type": "object",
    "description": "Query parameters to add to the URL; they are escaped for you.",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_HEADERS = {
    "type": "object",
    "description": "Further request headers. Host, cookies and transport headers cannot be set.",
    "additionalProperties": {"type": "string"},
}


def http_tools(egress: Egress, timeout: timedelta = TIMEOUT) -> list[Tool]:
    return [HttpGet(egress, timeout), HttpPost(egress, timeout)]


class HttpGet:
    """Fetches JSON or text. Follows redirects by itself, so that each hop is checked."""

    def __init__(self, egress: Egress, timeout: timedelta = TIMEOUT) -> None:
        self._egress = egress
        self.spec = ToolSpec(
            name="http_get",
            description=(
                "Fetch JSON or text from a public web address. Answers with status, body (parsed when"
                " it is JSON) and truncated when the body was over 1 MB. Use it for reading only."
            ),
            parameters=parameters(required=["url"], url=_URL, query=_QUERY, headers=_HEADERS),
            timeout=timeout,
            is_outside=True,
            effect=EffectClass.READ,
        )

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass.READ

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        headers = _AGENT | checked_headers(arguments.get("headers", {}))
        address, seconds = _address(arguments), _patience(self.spec)
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(address, headers, seconds)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise TryAgain(
                f"{shortened(address, 200)} did not answer within {seconds:.3g} seconds."
            ) from error

    async def _follow(self, address: str, headers: Mapping[str, str], seconds: float) -> Json:
        destination = await self._egress.check(address)
        for hop in range(MAX_REDIRECTS + 1):
            answer = await _fetch(destination, headers, seconds)
            target = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not target:
                return _told(destination, _readable(destination, answer), redirects=hop)
            following = await self._egress.check(_joined(destination.url, target))
            if _origin(following.url) != _origin(destination.url):
                headers = {name: headers[name] for name in headers.keys() & _SAFE_ELSEWHERE}
            destination = following
        raise TryAgain(f"{shortened(address, 200)} redirects more than {MAX_REDIRECTS} times.")


class HttpPost:
    """Sends something. With an idempotency header it is safe to send again; without, a person decides."""

    def __init__(self, egress: Egress, timeout: timedelta = TIMEOUT) -> None:
        self._egress = egress
        self.spec = ToolSpec(
            name="http_post",
            description=(
                "Send JSON or text to a public web address with POST. It changes something outside, so"
                " call it once for each thing that shall happen. Name an idempotency_header when the"
                " service documents one (often Idempotency-Key): then a call in doubt can be sent"
                " again safely. Redirects are reported, not followed."
            ),
            parameters=parameters(
                required=["url"],
                url=_URL,
                query=_QUERY,
                headers=_HEADERS,
                json={
                    "description": "A JSON value to send as the body. Use this or body, not both."
                },
                body=text("Text to send as the body, as text/plain unless headers say otherwise."),
                idempotency_header=text(
                    "Name of the header in which this service takes idempotency keys. The key itself"
                    " is made for you. Only name one that the service documents."
                ),
            ),
            effect=EffectClass.ASK,
            timeout=timeout,
            key_lifetime=KEY_LIFETIME,
            is_outside=True,
        )

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass.KEYED if arguments.get("idempotency_header") else EffectClass.ASK

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        outgoing = _outgoing(arguments, context.effect_id)
        destination = await self._egress.check(_address(arguments))
        with _judging_failures(destination.url.host):
            answer = await exchange(destination, outgoing, _patience(self.spec))
        _refuse_unless_accepted(destination, answer, self.effect_of(arguments))
        return _told(destination, answer)

    async def rehearse(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        """As if the service had taken it. Not even the host's name is looked up."""
        _outgoing(arguments, context.effect_id)
        return {
            "status": 200,
            "url": _address(arguments),
            "content_type": "",
            "body": None,
            "truncated": False,
            "note": "This is a dry run: nothing was sent, and nobody knows what the service would say.",
        }


async def _fetch(destination: Destination, headers: Mapping[str, str], seconds: float) -> Answer:
    try:
        return await exchange(destination, Outgoing("GET", headers), seconds)
    except httpx2.TimeoutException:
        raise
    except httpx2.HTTPError as error:
        host = destination.url.host
        raise TryAgain(f"The connection to {host} failed: {_reason(error)}.") from error


@contextmanager
def _judging_failures(host: str) -> Iterator[None]:
    """Tell a request that never left from one that may have arrived."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.LocalProtocolError) as error:
        raise TryAgain(
            f"No connection to {host} came about ({_reason(error)}); nothing was sent."
        ) from error
    except (TimeoutError, httpx2.HTTPError) as error:
        raise OutcomeUnknown(
            f"The request went out to {host}, but the answer did not come: {_reason(error)}."
        ) from error


def _refuse_unless_accepted(destination: Destination, answer: Answer, effect: EffectClass) -> None:
    host, status = destination.url.host, answer.status
    if status >= 500:
        raise OutcomeUnknown(f"{host} failed with status {status}; it may have acted all the same.")
    # Services answer 409 while an earlier request with the same key is still at work.
    if status == 409 and effect is EffectClass.KEYED:
        raise OutcomeUnknown(f"{host} says an earlier request with this key is under way (409).")
    if status >= 400:
        raise TryAgain(f"{host} refused with status {status}; nothing happened. {_excerpt(answer)}")


def _readable(destination: Destination, answer: Answer) -> Answer:
    """An answer to a GET that a model can use.

    Raises:
        TryAgain: It is an error, broken off, or not text.
    """
    host = destination.url.host
    if answer.status >= 400:
        raise TryAgain(f"{host} answered with status {answer.status}. {_excerpt(answer)}".strip())
    if answer.is_broken:
        raise TryAgain(f"The answer of {host} broke off in the middle.")
    if kind := answer.binary_kind:
        raise TryAgain(
            f"{host} answered with {_named(answer, kind)}; only JSON and text can be read."
        )
    return answer


def _told(destination: Destination, answer: Answer, redirects: int = 0) -> Json:
    kind = answer.binary_kind
    told = {
        "status": answer.status,
        "url": str(destination.url),
        "content_type": answer.content_type,
        "body": None if kind else answer.body(),
        "truncated": answer.is_cut,
    }
    if redirects:
        told["redirects"] = redirects
    if kind:
        told["note"] = f"The body is {_named(answer, kind)}; it is not shown."
    if answer.is_broken:
        told["note"] = "The request was accepted, but the body of the answer broke off."
    if answer.status in _REDIRECTS:
        told["note"] = (
            "The service redirects; that was not followed, since sending twice may act twice."
        )
        told["location"] = answer.headers.get("location")
    return told


def _outgoing(arguments: Mapping[str, Any], effect_id: str) -> Outgoing:
    headers = checked_headers(arguments.get("headers", {}))
    content, kind = _content(arguments)
    if key_header := arguments.get("idempotency_header"):
        if not effect_id:
            raise GaveUp("http_post was called without an effect id, so it has no idempotency key.")
        headers |= checked_headers({key_header: effect_id})
    return Outgoing("POST", _AGENT | {"content-type": kind} | headers, content)


def _content(arguments: Mapping[str, Any]) -> tuple[bytes, str]:
    if "json" in arguments and "body" in arguments:
        raise TryAgain("Give json or body, not both.")
    if "json" in arguments:
        return json.dumps(arguments["json"]).encode(), "application/json"
    return arguments.get("body", "").encode("utf-8", "replace"), "text/plain; charset=utf-8"


def _patience(spec: ToolSpec) -> float:
    return spec.timeout.total_seconds() * _SHARE_OF_TIMEOUT


def _address(arguments: Mapping[str, Any]) -> str:
    query = arguments.get("query")
    if not query:
        return str(arguments["url"])
    try:
        return str(httpx2.URL(arguments["url"]).copy_merge_params(query))
    except (httpx2.InvalidURL, ValueError) as error:
        raise TryAgain(f"{shortened(arguments['url'])!r} is not a URL: {error}") from error


def _joined(base: httpx2.URL, target: str) -> str:
    try:
        return str(base.join(target))
    except (httpx2.InvalidURL, ValueError) as error:
        raise TryAgain(
            f"{base.host} redirects to {shortened(target)!r}, which is no URL."
        ) from error


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _excerpt(answer: Answer) -> str:
    if not answer.content or answer.binary_kind:
        return ""
    said = " ".join(answer.content.decode("utf-8", "replace").split())
    return f"It says: {shortened(said, 500)}"


def _named(answer: Answer, kind: str) -> str:
    return f"{kind} ({answer.content_type or 'no content type'}, {counted(len(answer.content), 'byte')})"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return "it took too long"
    return str(error).rstrip(".") or type(error).__name__
