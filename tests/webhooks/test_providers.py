"""What each provider does in its own way, with the examples that they publish."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from omniforge.errors import DeliveryInvalid, DeliveryStale, SignatureInvalid
from omniforge.webhooks.delivery import Handshake, Incoming, SecretFrom, Verified
from omniforge.webhooks.providers import PROVIDERS
from omniforge.webhooks.secrets import Secret
from tests.support.requirements import requirement
from tests.webhooks.senders import (
    JSON,
    NOW,
    OTHER_SECRET,
    SECRET,
    SLACK_EVENT,
    bearer,
    changed,
    custom,
    github,
    json_of,
    linear,
    notion,
    slack,
)

FORM = "application/x-www-form-urlencoded"


def read(
    provider: str, request: Incoming, *secrets: Secret, now: datetime = NOW
) -> Verified | Handshake:
    return PROVIDERS[provider].read(request, secrets or (Secret(SECRET),), now)


# ---- GitHub ------------------------------------------------------------------------------------


def test_githubs_published_signature_fits_and_another_does_not() -> None:
    secret = Secret("It's a Secret to Everybody")
    right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {**JSON, "X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}
    request = Incoming(b"Hello, World!", {**headers, "X-Hub-Signature-256": right})

    with pytest.raises(DeliveryInvalid, match="not JSON"):
        read("github", request, secret)
    with pytest.raises(SignatureInvalid):
        read("github", changed(request, X_Hub_Signature_256=right.replace("7", "8")), secret)
    with pytest.raises(SignatureInvalid):  # the old header, of SHA-1
        read("github", changed(request, X_Hub_Signature_256=right.removeprefix("sha256=")), secret)


def test_github_may_send_forms() -> None:
    body = urlencode({"payload": '{"action": "closed", "n": "ü&="}'}).encode()

    event = read("github", changed(github(body), content_type=FORM))

    assert isinstance(event, Verified)
    assert (event.type, event.payload["n"]) == ("issues.closed", "ü&=")
    for broken in (b"a=1", b"payload=%7B", b"payload=%ff", b"&".join([b"a=1"] * 101), b"", b"x"):
        with pytest.raises(DeliveryInvalid):
            read("github", changed(github(broken), content_type=FORM))


def test_githubs_ping_is_answered_without_an_event() -> None:
    ping = github(b'{"zen": "Keep it logically awesome."}', event="ping")

    assert read("github", ping) == Handshake("pong")
    with pytest.raises(SignatureInvalid):
        read("github", changed(ping, b"{}"))


def test_a_github_event_without_an_action_is_named_after_the_event() -> None:
    event = read("github", github(b'{"ref": "refs/heads/main"}', event="push"))

    assert isinstance(event, Verified)
    assert event.type == "push"


@pytest.mark.parametrize("event", ["", "two words", "a" * 201, "nul\0", "ünknown", "{}"])
def test_an_event_of_a_strange_name_is_refused(event: str) -> None:
    with pytest.raises(DeliveryInvalid):
        read("github", github(event=event))


# ---- Slack -------------------------------------------------------------------------------------


SLACK_COMMAND = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmib"
    b"IGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def test_slacks_published_example_is_a_command() -> None:
    secret, at = Secret("8f742231b10e8888abcd99yyyzzz85a5"), datetime.fromtimestamp(1531420618, UTC)
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    stamp = {"X-Slack-Request-Timestamp": "1531420618"}
    request = Incoming(
        SLACK_COMMAND, {"Content-Type": FORM, **stamp, "X-Slack-Signature": signature}
    )

    command = read("slack", request, secret, now=at)

    assert isinstance(command, Verified)
    assert command.delivery_id == "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    assert (command.type, command.payload["command"]) == ("command", "/webhook-collect")
    with pytest.raises(DeliveryStale):
        read("slack", request, secret, now=NOW)


def test_slacks_challenge_is_given_back_to_slack_only() -> None:
    challenge = json_of({"type": "url_verification", "challenge": "3eZbrw1a", "token": "Jhj5"})

    assert read("slack", slack(challenge)) == Handshake("3eZbrw1a")
    with pytest.raises(SignatureInvalid):
        read("slack", slack(challenge, secret=OTHER_SECRET))


def test_slacks_retry_is_signed_anew_and_has_the_id_of_the_first_attempt() -> None:
    late = NOW + timedelta(minutes=5)
    again = changed(slack(at=late), X_Slack_Retry_Num="2", X_Slack_Retry_Reason="http_timeout")

    first, second = read("slack", slack()), read("slack", again, now=late)

    assert isinstance(first, Verified)
    assert isinstance(second, Verified)
    assert first.delivery_id == second.delivery_id


def test_a_click_in_slack_is_an_event_of_its_kind() -> None:
    click = '{"type": "block_actions", "trigger_id": "13345224609.738474920.8088930838d88f008e0"}'
    event = read("slack", changed(slack(urlencode({"payload": click}).encode()), content_type=FORM))

    assert isinstance(event, Verified)
    assert (event.type, event.delivery_id[:11]) == ("block_actions", "13345224609")


def test_what_slack_says_about_its_limits_is_no_event() -> None:
    assert read("slack", slack(json_of({"type": "app_rate_limited"}))) == Handshake()


@pytest.mark.parametrize(
    "event", [{"type": "event_callback"}, {"type": 1}, {**SLACK_EVENT, "event": []},
              {**SLACK_EVENT, "event": {"type": {}}}, {"type": "url_verification"},
              {**SLACK_EVENT, "event_id": 7}],
)  # fmt: skip
def test_what_slack_does_not_send_is_refused(event: object) -> None:
    with pytest.raises(DeliveryInvalid):
        read("slack", slack(json_of(event)))


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "9" * 12, "٣", "1531420618.5"])
def test_a_time_that_is_none_was_not_signed(stamp: str) -> None:
    with pytest.raises(SignatureInvalid):
        read("slack", changed(slack(), X_Slack_Request_Timestamp=stamp))
    with pytest.raises(SignatureInvalid):
        read("custom", changed(custom(), webhook_timestamp=stamp))


# ---- Notion ------------------------------------------------------------------------------------

TOKEN = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"
HANDSHAKE = Incoming(json_of({"verification_token": TOKEN}), JSON)


@requirement("FR-10")
def test_notions_token_is_taken_once() -> None:
    notions = PROVIDERS["notion"]

    answer = notions.read(HANDSHAKE, [], NOW)

    assert isinstance(answer, Handshake)
    assert answer.token == TOKEN
    token = Secret(answer.token)
    assert notions.read(notion(secret=TOKEN), [token], NOW)
    with pytest.raises(SignatureInvalid):
        notions.read(HANDSHAKE, [token], NOW)


def test_a_notion_token_that_was_given_an_end_may_be_replaced() -> None:
    for until in (NOW + timedelta(hours=1), NOW - timedelta(hours=1)):
        answer = read("notion", HANDSHAKE, Secret(SECRET, until))
        assert isinstance(answer, Handshake)
        assert answer.token == TOKEN

    assert isinstance(read("notion", notion(), Secret(SECRET, NOW + timedelta(hours=1))), Verified)


@pytest.mark.parametrize("token", ["", "short", 7, None, ["a" * 20], "a" * 600, "ü" * 20])
def test_a_token_that_cannot_be_one_is_not_taken(token: object) -> None:
    with pytest.raises(SignatureInvalid):
        PROVIDERS["notion"].read(Incoming(json_of({"verification_token": token}), JSON), [], NOW)


def test_notions_last_attempt_comes_a_day_later() -> None:
    first, last = notion(), notion(json_of({
        "id": "367cba44-b6f3-4c92", "type": "page.created",
        "timestamp": "2026-11-21T12:00:00.000Z", "attempt_number": 8,
    }))  # fmt: skip
    a_day_later = NOW + timedelta(hours=25)

    again = read("notion", last, now=a_day_later)

    assert isinstance(again, Verified)
    assert again.delivery_id == read("notion", first).delivery_id  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "stamp",
    [None, 1, "yesterday", "2026-11-21", "2026-11-21T12:00:00", "0001-01-01T00:00:00+14:00"],
)
def test_a_notion_event_has_a_time_with_a_zone(stamp: object) -> None:
    event = {"id": "1", "type": "page.created", "timestamp": stamp}

    with pytest.raises(DeliveryInvalid, match="time"):
        read("notion", notion(json_of(event)))


# ---- Linear ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", [None, "1", -1, True, 1e12, 10**30, 10**15])
def test_a_linear_event_has_a_time_in_milliseconds(stamp: object) -> None:
    event = {"type": "Issue", "action": "create", "webhookTimestamp": stamp}

    with pytest.raises(DeliveryInvalid, match="webhookTimestamp"):
        read("linear", linear(json_of(event)))


@pytest.mark.parametrize("part", ["type", "action"])
def test_a_linear_event_has_a_type_and_an_action(part: str) -> None:
    event = {"type": "Issue", "action": "create", "webhookTimestamp": int(NOW.timestamp() * 1_000)}

    with pytest.raises(DeliveryInvalid, match=part):
        read("linear", linear(json_of({**event, part: None})))


# ---- senders of one's own ----------------------------------------------------------------------


def test_the_published_example_of_standard_webhooks_fits() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    request = Incoming(
        b'{"test": 2432232314}',
        {
            **JSON,
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
    )
    # Joined here, because programs that look for lost keys take the whole one for a real one.
    secret = Secret("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    event = read("custom", request, secret, now=at)

    assert event == Verified("msg_p5jXN8AQM9LWM0D4loKWxJek", "event", {"test": 2432232314}, at)


def test_one_of_several_signatures_is_enough() -> None:
    right = custom().header("webhook-signature")
    for signatures in (f"v1,bm9uZQ== {right}", f"v1a,x {right} v2", f"{right} {right}"):
        assert read("custom", changed(custom(), webhook_signature=signatures))
    for signatures in ("v1,", "v1", " ", f"v1a{right[2:]}", right.replace("v1,", "v1,v1,")):
        with pytest.raises(SignatureInvalid):
            read("custom", changed(custom(), webhook_signature=signatures))


@pytest.mark.parametrize("header", ["webhook_id", "webhook_timestamp"])
def test_id_and_time_of_a_standard_webhook_are_signed(header: str) -> None:
    with pytest.raises(SignatureInvalid):
        read("custom", changed(custom(), **{header: "1795262401"}))


def test_a_signature_that_is_wrong_is_not_made_up_for_by_a_token() -> None:
    both = changed(custom(secret=OTHER_SECRET), Authorization=f"Bearer {SECRET}")

    with pytest.raises(SignatureInvalid):
        read("custom", both)


def test_a_signature_needs_a_secret_that_is_a_key() -> None:
    plain = "a plain token of ours"

    assert read("custom", bearer(secret=plain), Secret(plain))
    with pytest.raises(SignatureInvalid):
        read("custom", custom(secret=base64.b64encode(plain.encode()).decode()), Secret(plain))


def test_parts_of_an_id_cannot_be_moved_into_time_or_body() -> None:
    """`a.1.2.{}` is signed for one id, time and body, and could be split into others."""
    signed = custom(b"{}", delivery_id="a.1795262400")
    moved = changed(signed, f"{signed.header('webhook-timestamp')}.{{}}".encode(), webhook_id="a")
    moved = changed(moved, webhook_timestamp="1795262400")

    with pytest.raises(DeliveryInvalid):
        read("custom", moved)
    for bad_id in ("a b", 'a.1.{"x":', "", "a" * 201):
        with pytest.raises(DeliveryInvalid, match="webhook-id"):
            read("custom", custom(delivery_id=bad_id))


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_a_token_is_taken_with_its_scheme_in_any_spelling(scheme: str) -> None:
    assert read("custom", bearer(Authorization=f"{scheme} {SECRET}"))
    for other in (
        SECRET,
        f"Basic {SECRET}",
        "Bearer",
        f"Bearer {SECRET}x",
        f"Bearer {SECRET[:-1]}",
    ):
        with pytest.raises(SignatureInvalid):
            read("custom", bearer(Authorization=other))


@pytest.mark.parametrize(
    ("body", "header", "kind"),
    [({"type": "a.b"}, "c", "a.b"), ({}, "order.paid", "order.paid"), ({}, "", "event")],
)
def test_the_type_of_a_custom_event_is_in_its_body_or_a_header(
    body: object, header: str, kind: str
) -> None:
    event = read("custom", changed(custom(json_of(body)), webhook_event=header))

    assert isinstance(event, Verified)
    assert event.type == kind


def test_where_secrets_come_from() -> None:
    assert {name: one.secret_from for name, one in PROVIDERS.items()} == {
        "notion": SecretFrom.HANDSHAKE,
        "slack": SecretFrom.SERVICE,
        "github": SecretFrom.ANYONE,
        "linear": SecretFrom.SERVICE,
        "custom": SecretFrom.ANYONE,
    }
