"""The way to a service: where it may lead, what is repeated, and what never leaves."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from omniforge.errors import (
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    ServiceAddressInvalid,
    ServiceAnswerInvalid,
    ServiceRefused,
    ServiceUnavailable,
    TryAgain,
    WriteHeld,
)
from omniforge.integrations.http.access import HttpAccess
from omniforge.integrations.http.calls import Call
from omniforge.integrations.http.graphql import GraphQLDialect
from omniforge.integrations.http.limits import Limits
from omniforge.integrations.http.pages import MAX_PAGES, Page, gathered
from omniforge.integrations.http.service import Service
from omniforge.integrations.http.session import Session
from omniforge.integrations.http.tokens import Token
from tests.support.integrations import Tokens
from tests.support.ports import free_port
from tests.support.requirements import requirement
from tests.tools.web_server import Handler, WebServer, breaks_off, hangs, says

PLAIN = Service("plain", "Plain", "https://plain.example")
READ = Call("GET", "/things", {"q": "secret words"})
WRITE = Call("POST", "/things", json={"name": "secret words"})


@dataclass
class Wire:
    """Sessions with one local server."""

    server: WebServer
    http: HttpAccess = field(init=False)

    def __post_init__(self) -> None:
        self.http = HttpAccess({"plain": self.server.url}, first_pause=0.01)

    def session(
        self, seconds: float = 10, *, service: Service = PLAIN, tokens: Tokens | None = None
    ) -> Session:
        deadline = asyncio.get_running_loop().time() + seconds
        return self.http.session(service, tokens or Tokens(), deadline, reads_only=False)

    @property
    def methods(self) -> list[str]:
        return [each.method for each in self.server.received]


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as running:
        yield running


@pytest.fixture
async def wire(server: WebServer) -> AsyncIterator[Wire]:
    made = Wire(server)
    yield made
    await made.http.aclose()


# ---- where to --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://api.example",
        "http://10.0.0.1",
        "https://me:pw@api.example",
        "ftp://x",
        "https://x/?a=1",
    ],
)
async def test_tokens_travel_over_https_only_except_on_this_machine(address: str) -> None:
    http = HttpAccess({"plain": address})

    with pytest.raises(ServiceAddressInvalid):
        http.session(PLAIN, Tokens(), 0.0, reads_only=True)


async def test_a_public_address_that_leads_to_a_private_one_is_not_connected_to() -> None:
    inside = Service("inside", "Inside", "https://localhost")
    http = HttpAccess()
    deadline = asyncio.get_running_loop().time() + 5

    with pytest.raises(TryAgain, match="private or reserved"):
        await http.session(inside, Tokens(), deadline, reads_only=True).send(READ)

    await http.aclose()


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "https://evil.example/?token=s3cr3t", "//x"]
)
async def test_no_redirect_leads_to_another_host(
    wire: Wire, server: WebServer, target: str
) -> None:
    server.replies["/things"] = says("", status=302, location=target)

    with pytest.raises(ServiceRefused, match="redirects") as raised:
        await wire.session().send(READ)

    assert wire.methods == ["GET"]
    assert "s3cr3t" not in str(raised.value)


async def test_reads_follow_redirects_on_their_host_and_writes_none(
    wire: Wire, server: WebServer
) -> None:
    server.replies["/things"] = says("", status=301, location="/moved")
    server.replies["/moved"] = says({"here": True})
    server.replies["/round"] = says("", status=302, location="/round")

    assert (await wire.session().send(READ)).body == {"here": True}
    with pytest.raises(ServiceRefused, match="Nothing was done"):
        await wire.session().send(WRITE)
    with pytest.raises(ServiceAnswerInvalid, match="in a circle"):
        await wire.session().send(Call("GET", "/round"))

    assert wire.methods.count("POST") == 1


# ---- how much, how long ----------------------------------------------------------------------


async def test_an_answer_without_an_end_is_not_read_to_it(wire: Wire, server: WebServer) -> None:
    sent = 0

    def floods(handler: Handler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.end_headers()
        for _ in range(50):
            handler.wfile.write(b" " * 1_000_000)
            sent += 1

    server.replies["/things"] = floods

    with pytest.raises(ServiceAnswerInvalid, match="5,000,000 bytes"):
        await wire.session().send(READ)

    assert sent < 50


async def test_nothing_is_on_the_wire_after_the_deadline(wire: Wire, server: WebServer) -> None:
    server.replies["/things"] = hangs

    for call, error in ((READ, ServiceUnavailable), (WRITE, OutcomeUnknown)):
        with pytest.raises(error, match="no answer in time"):
            await wire.session(0.3).send(call)

    assert wire.methods == ["GET", "POST"]


@pytest.mark.parametrize(
    "reply",
    [
        says("<html>", kind="text/html"),
        says("{broken", kind="application/json"),
        says(b"\x1f\x8b", kind="application/json", content_encoding="gzip"),
        breaks_off,
    ],
)
async def test_an_answer_that_cannot_be_read_leaves_a_write_in_doubt(
    wire: Wire, server: WebServer, reply: object
) -> None:
    server.replies["/things"] = reply  # type: ignore[assignment]  # parametrised

    with pytest.raises((ServiceAnswerInvalid, ServiceUnavailable)):
        await wire.session().send(READ)
    with pytest.raises(OutcomeUnknown):
        await wire.session().send(WRITE)

    assert wire.methods.count("POST") == 1


@pytest.mark.parametrize(
    "reply",
    [
        says("<html>no</html>", status=403, kind="text/html"),
        says(b"\x1f\x8b", status=403, content_encoding="gzip"),
        says("x" * 100_000, status=403),
        says(b"", status=403),
    ],
)
async def test_of_a_refusal_the_status_counts_however_it_is_told(
    wire: Wire, server: WebServer, reply: object
) -> None:
    server.replies["/things"] = reply  # type: ignore[assignment]  # parametrised

    with pytest.raises(ServiceRefused, match="status 403"):
        await wire.session().send(WRITE)


# ---- what is repeated ------------------------------------------------------------------------


@requirement("INT-2")
async def test_what_was_never_sent_is_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    http = HttpAccess({"plain": f"http://127.0.0.1:{free_port()}"}, first_pause=0.01)
    deadline = asyncio.get_running_loop().time() + 5
    session = http.session(PLAIN, Tokens(), deadline, reads_only=False)

    with caplog.at_level(logging.INFO), pytest.raises(ServiceUnavailable, match="Nothing was sent"):
        await session.send(WRITE)

    assert [each.msg for each in caplog.records].count("service_call_failed") == 4
    await http.aclose()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
async def test_a_failed_write_is_never_repeated(wire: Wire, server: WebServer, status: int) -> None:
    server.replies["/things"] = says({}, status=status)

    with pytest.raises(OutcomeUnknown):
        await wire.session().send(WRITE)

    assert wire.methods == ["POST"]


async def test_a_limit_that_ends_in_time_is_waited_for(wire: Wire, server: WebServer) -> None:
    fine = says({"made": 1}, status=201)

    def limited_once(handler: Handler) -> None:
        server.replies["/things"] = fine
        says({}, status=429, retry_after="1")(handler)

    server.replies["/things"] = limited_once
    began = asyncio.get_running_loop().time()

    answer = await wire.session().send(WRITE)

    assert answer.body == {"made": 1}
    assert asyncio.get_running_loop().time() - began >= 1


async def test_limits_count_for_each_account_alone(wire: Wire, server: WebServer) -> None:
    server.replies["/things"] = says({}, status=429, retry_after="300")
    with pytest.raises(RateLimited):
        await wire.session().send(READ)

    class Others(Tokens):
        async def token(self, refresh_from: str | None = None) -> Token:
            return Token("token-9", "connection-9")

    server.replies["/things"] = says({"mine": True})
    with pytest.raises(RateLimited):
        await wire.session().send(READ)
    assert (await wire.session(tokens=Others()).send(READ)).body == {"mine": True}


async def test_calls_go_out_no_faster_than_the_service_wants(wire: Wire, server: WebServer) -> None:
    slow = Service("plain", "Plain", PLAIN.base_url, limits=Limits(per_second=10))
    server.replies["/things"] = says({})
    session = wire.session(service=slow)
    began = asyncio.get_running_loop().time()

    await asyncio.gather(*(session.send(READ) for _ in range(5)))

    assert asyncio.get_running_loop().time() - began >= 0.4


async def test_a_token_that_nobody_can_renew_breaks_the_connection(
    wire: Wire, server: WebServer
) -> None:
    server.replies["/things"] = says({"error": "token revoked"}, status=401)

    with pytest.raises(ConnectionBroken, match="connect it again") as raised:
        await wire.session().send(WRITE)

    assert raised.value.connection_id == "connection-1"
    assert len(wire.methods) == 1  # the source had no newer token, so nobody asked again


# ---- what never leaves -----------------------------------------------------------------------


@requirement("DRY-1")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "post"])
async def test_a_rehearsal_sends_reads_alone(wire: Wire, server: WebServer, method: str) -> None:
    server.replies["/things"] = says({"read": True})
    deadline = asyncio.get_running_loop().time() + 5
    rehearsal = wire.http.for_rehearsal()
    # Whoever opens it may even claim that it is for writing.
    session = rehearsal.session(PLAIN, Tokens(), deadline, reads_only=False)

    with pytest.raises(WriteHeld) as held:
        await session.send(Call(method, "/things", json={"name": "x"}))
    answer = await session.send(READ)

    assert held.value.request["body"] == {"name": "x"}
    assert answer.body == {"read": True}
    assert wire.methods == ["GET"]


@requirement("DRY-1")
@pytest.mark.parametrize(
    ("document", "is_read"),
    [
        ("query { viewer { id } }", True),
        ("{ viewer { id } }", True),
        ("mutation { issueDelete(id: 1) { success } }", False),
        ("query A { a } mutation B { b }", False),
        ("# query\nmutation{b}", False),
        ("fragment F on T { a }\n\ufeffMUTATION { b }", False),
        ("subscription { s }", False),
        ("", True),
    ],
)
def test_what_a_graphql_document_is_shows_in_its_words(document: str, is_read: bool) -> None:
    assert GraphQLDialect().only_reads(Call("POST", "/", json={"query": document})) is is_read
    assert not GraphQLDialect().only_reads(Call("POST", "/", json=[{"query": document}]))


@requirement("SEC-1")
async def test_logs_and_errors_hold_no_token_no_query_and_no_body(
    wire: Wire, server: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.replies["/things"] = says({"message": "bad: secret words"}, status=500)

    with caplog.at_level(logging.DEBUG, "omniforge"):
        for call in (READ, WRITE):
            with pytest.raises((ServiceUnavailable, OutcomeUnknown)) as raised:
                await wire.session().send(call)
            assert "token-1" not in str(raised.value)

    logged = " ".join(str(vars(each)) for each in caplog.records)
    assert "/things" in logged
    assert "token-1" not in logged
    assert "secret words" not in logged
    assert "token-1" not in repr(Token("token-1", "connection-1"))


async def test_a_list_without_an_end_is_cut() -> None:
    async def fetch(_: str | None, size: int) -> Page:
        return Page(["x"] * size, "more")

    page = await gathered(fetch, wanted=10_000, cursor=None, page_size=10)

    assert (len(page.items), page.next_cursor) == (10 * MAX_PAGES, "more")
