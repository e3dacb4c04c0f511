import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from omniforge.errors import GaveUp, OutcomeUnknown, TryAgain
from omniforge.journal.steps import EffectClass
from omniforge.tools.builtin.exchange import MAX_BODY_BYTES
from omniforge.tools.builtin.http import KEY_LIFETIME, http_tools
from omniforge.tools.egress import Egress
from omniforge.tools.protocol import ToolCallContext
from tests.support.requirements import requirement
from tests.tools.bench import Bench
from tests.tools.web_server import WebServer, breaks_off, hangs, hangs_up, packed, says


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, server: WebServer) -> Bench:
    """The server is allowed by name; the tools lose patience after half a second."""
    return Bench(tmp_path, http_tools(Egress([server.host]), timedelta(seconds=0.5)))


@requirement("TOOL-3")
async def test_json_comes_parsed_and_text_as_text(bench: Bench, server: WebServer) -> None:
    server.replies["/data"] = says({"tasks": [1, 2]}, kind="application/vnd.shop+json; v=2")
    server.replies["/text"] = says("Grüße".encode("latin-1"), kind="text/plain; charset=latin-1")

    data = await bench.call("http_get", url=f"{server.url}/data")
    text = await bench.call("http_get", url=f"{server.url}/text")

    assert (data["status"], data["body"], data["truncated"]) == (200, {"tasks": [1, 2]}, False)
    assert text["body"] == "Grüße"


async def test_query_and_headers_are_sent_and_cookies_never(
    bench: Bench, server: WebServer
) -> None:
    server.replies["/q"] = says("ok", set_cookie="session=1")
    arguments: dict[str, Any] = {"query": {"q": "a&b", "n": 2}, "headers": {"X-Key": "k"}}

    for _ in range(2):
        await bench.call("http_get", url=f"{server.url}/q?old=1", **arguments)

    last = server.received[-1]
    assert last.path == "/q?old=1&q=a%26b&n=2"
    assert last.headers["x-key"] == "k"
    assert "cookie" not in last.headers


async def test_a_body_is_cut_at_the_limit_packed_or_not(bench: Bench, server: WebServer) -> None:
    server.replies["/long"] = says("x" * (MAX_BODY_BYTES + 5))
    server.replies["/packed"] = packed("y" * (MAX_BODY_BYTES * 20))

    for path, letter in (("/long", "x"), ("/packed", "y")):
        answer = await bench.call("http_get", url=server.url + path)
        assert answer["body"] == letter * MAX_BODY_BYTES
        assert answer["truncated"]


async def test_a_binary_answer_is_refused_with_what_it_is(bench: Bench, server: WebServer) -> None:
    server.replies["/logo"] = says(b"\x89PNG\r\n\x1a\n123", kind="image/png")

    with pytest.raises(TryAgain, match=r"a PNG picture \(image/png, 11 bytes\)"):
        await bench.call("http_get", url=f"{server.url}/logo")


async def test_redirects_are_followed_and_headers_stay_with_their_host(
    bench: Bench, server: WebServer
) -> None:
    with WebServer() as other:
        other.replies["/end"] = says("there")
        server.replies["/start"] = says("", status=301, location="/next")
        server.replies["/next"] = says("", status=307, location=f"{other.url}/end")
        both = Bench(bench.workspace.root, http_tools(Egress([server.host, other.host])))

        answer = await both.call(
            "http_get", url=f"{server.url}/start", headers={"Authorization": "Bearer x"}
        )

        assert (answer["body"], answer["redirects"]) == ("there", 2)
        assert answer["url"] == f"{other.url}/end"
        assert all("authorization" in each.headers for each in server.received)
        assert "authorization" not in other.received[0].headers


async def test_a_circle_of_redirects_ends(bench: Bench, server: WebServer) -> None:
    server.replies["/round"] = says("", status=302, location="/round")

    with pytest.raises(TryAgain, match="more than 5 times"):
        await bench.call("http_get", url=f"{server.url}/round")

    assert len(server.received) == 6


@pytest.mark.parametrize(
    ("reply", "says_so"),
    [
        (says({"error": "no such id"}, status=404), "status 404. It says: {\"error\": \"no such id\"}"),
        (says("down", status=503), "status 503"),
        (hangs, "did not answer within 0.45 seconds"),
        (hangs_up, "The connection to 127.0.0.1 failed"),
        (breaks_off, "broke off"),
    ],
)  # fmt: skip
async def test_a_failed_fetch_is_told_and_may_be_tried_again(
    bench: Bench, server: WebServer, reply: Any, says_so: str
) -> None:
    server.replies["/"] = reply

    with pytest.raises(TryAgain) as caught:
        await bench.call("http_get", url=f"{server.url}/")

    assert says_so in caught.value.message


@pytest.mark.parametrize(
    "headers",
    [{"X-A": "1\r\nX-B: 2"}, {"X-A\r\nX-B": "1"}, {"": "1"}, {"X A": "1"}, {"X-A": "ü"}, {"Host": "other"},
     {"Cookie": "a=1"}, {"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}, {"Proxy-Auth": "x"}],
)  # fmt: skip
async def test_headers_cannot_split_a_request_or_change_its_transport(
    bench: Bench, server: WebServer, headers: dict[str, str]
) -> None:
    for tool in ("http_get", "http_post"):
        with pytest.raises(TryAgain, match="header"):
            await bench.call(tool, url=server.url, headers=headers)

    assert server.received == []


@requirement("DUR-2")
def test_a_post_is_keyed_only_when_the_call_names_a_header_for_the_key(bench: Bench) -> None:
    post = bench.registry.get("http_post")

    assert post is not None
    assert post.effect_of({"url": "https://x.example"}) is EffectClass.ASK
    assert post.effect_of({"idempotency_header": "Idempotency-Key"}) is EffectClass.KEYED
    assert (post.spec.effect, post.spec.key_lifetime) == (EffectClass.ASK, KEY_LIFETIME)


@requirement("DUR-2")
async def test_the_effect_id_is_the_key_that_is_sent(bench: Bench, server: WebServer) -> None:
    server.replies["/pay"] = says({"id": 9}, status=201)

    answer = await bench.call(
        "http_post",
        url=f"{server.url}/pay",
        json={"amount": 5},
        idempotency_header="Idempotency-Key",
    )

    sent = server.received[0]
    assert (answer["status"], answer["body"]) == (201, {"id": 9})
    assert sent.headers["idempotency-key"] == "of-effect-1"
    assert sent.headers["content-type"] == "application/json"
    assert json.loads(sent.body) == {"amount": 5}


async def test_a_key_without_an_effect_id_is_never_made_up(bench: Bench, server: WebServer) -> None:
    post = bench.registry.get("http_post")
    assert post is not None

    with pytest.raises(GaveUp):
        await post.run(
            {"url": server.url, "idempotency_header": "Key"},
            ToolCallContext("tenant", "task", "session", bench.workspace),
        )


@requirement("DUR-2")
@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 429])
async def test_a_refused_post_proves_that_nothing_happened(
    bench: Bench, server: WebServer, status: int
) -> None:
    server.replies["/"] = says("no", status=status)

    with pytest.raises(TryAgain, match=f"refused with status {status}; nothing happened"):
        await bench.call("http_post", url=f"{server.url}/", body="x")


@requirement("DUR-2")
@pytest.mark.parametrize("reply", [says("oops", status=500), says("", status=504), hangs, hangs_up])
async def test_a_post_whose_answer_is_missing_or_a_5xx_is_in_doubt(
    bench: Bench, server: WebServer, reply: Any
) -> None:
    server.replies["/"] = reply

    with pytest.raises(OutcomeUnknown):
        await bench.call("http_post", url=f"{server.url}/", body="x")

    assert len(server.received) == 1


@requirement("DUR-2")
async def test_a_conflict_under_a_key_may_be_the_earlier_sending_at_work(
    bench: Bench, server: WebServer
) -> None:
    server.replies["/"] = says("in progress", status=409)

    with pytest.raises(OutcomeUnknown, match="under way"):
        await bench.call("http_post", url=f"{server.url}/", idempotency_header="Idempotency-Key")


@requirement("DUR-2")
async def test_a_post_that_was_accepted_happened_even_when_its_answer_breaks_off_or_is_binary(
    bench: Bench, server: WebServer
) -> None:
    server.replies["/broken"] = breaks_off
    server.replies["/binary"] = says(b"\x89PNG123")

    broken = await bench.call("http_post", url=f"{server.url}/broken", body="x")
    binary = await bench.call("http_post", url=f"{server.url}/binary", body="x")

    assert (broken["status"], "broke off" in broken["note"]) == (200, True)
    assert (binary["body"], "PNG" in binary["note"]) == (None, True)


@requirement("DUR-2")
async def test_a_post_that_never_left_can_simply_be_tried_again(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
    bench = Bench(tmp_path, http_tools(Egress([host])))

    with pytest.raises(TryAgain, match="nothing was sent"):
        await bench.call("http_post", url=f"http://{host}/", body="x")


async def test_a_redirected_post_is_reported_and_not_followed(
    bench: Bench, server: WebServer
) -> None:
    server.replies["/old"] = says("", status=308, location="/new")

    answer = await bench.call("http_post", url=f"{server.url}/old", body="x")

    assert (answer["status"], answer["location"]) == (308, "/new")
    assert [each.path for each in server.received] == ["/old"]


async def test_json_and_text_together_are_refused(bench: Bench, server: WebServer) -> None:
    with pytest.raises(TryAgain, match="not both"):
        await bench.call("http_post", url=server.url, json={}, body="x")
