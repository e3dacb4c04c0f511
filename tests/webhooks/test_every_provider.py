"""What holds for each provider: who is believed, and what a refusal tells."""

import contextlib
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.errors import (
    DeliveryInvalid,
    DeliveryStale,
    SignatureInvalid,
    WebhookSecretInvalid,
)
from omniforge.webhooks.delivery import Handshake, Incoming, Verified
from omniforge.webhooks.providers import PROVIDERS
from omniforge.webhooks.secrets import Secret, new_secret, refuse_unusable
from tests.support.requirements import requirement
from tests.webhooks.senders import (
    NOW,
    OTHER_SECRET,
    PROOFS,
    SECRET,
    SENDERS,
    changed,
    without,
)

each_sender = pytest.mark.parametrize("sender", SENDERS)
SIGNED = [name for name in SENDERS if name != "bearer"]
WINDOWS = {
    "slack": timedelta(minutes=5),
    "notion": timedelta(days=2),
    "linear": timedelta(minutes=1),
    "custom": timedelta(minutes=5),
}


def read(
    sender: str, request: Incoming, *secrets: Secret, now: datetime = NOW
) -> Verified | Handshake:
    provider, _ = SENDERS[sender]
    return PROVIDERS[provider].read(request, secrets or (Secret(SECRET),), now)


def sent(sender: str, *args: bytes | None, **options: object) -> Incoming:
    return SENDERS[sender][1](*args, **options)


@requirement("FR-10")
@each_sender
def test_a_signed_delivery_is_an_event_with_the_senders_id(sender: str) -> None:
    event = read(sender, sent(sender))

    assert isinstance(event, Verified)
    assert event == read(sender, sent(sender))
    expected = {
        "github": ("72d3162e-cc78-11e3-81ab-4c9367dc0958", "issues.opened"),
        "slack": ("Ev0PV52K25", "message"),
        "notion": ("367cba44-b6f3-4c92", "page.created"),
        "linear": ("234d1a4e-b617-4388-90fe-adc3633d6b72", "Issue.create"),
        "custom": ("msg_1", "order.paid"),
        "bearer": ("msg_1", "order.paid"),
    }
    assert (event.delivery_id, event.type) == expected[sender]
    assert event.sent_at == (NOW if sender in WINDOWS else None)
    assert event.payload


@requirement("FR-10")
@each_sender
def test_a_forged_delivery_is_refused(sender: str) -> None:
    for request in (
        sent(sender, secret=OTHER_SECRET),
        without(sent(sender), PROOFS[sender]),
        changed(sent(sender), **{PROOFS[sender]: ""}),
        changed(sent(sender), **{PROOFS[sender]: sent(sender).header(PROOFS[sender]).upper()}),
    ):
        with pytest.raises(SignatureInvalid):
            read(sender, request)


@pytest.mark.parametrize("sender", SIGNED)
def test_a_delivery_that_was_cut_or_grew_is_refused(sender: str) -> None:
    whole = sent(sender)

    for body in (whole.body[:-1], whole.body[: len(whole.body) // 2], b"", whole.body + b" "):
        with pytest.raises(SignatureInvalid):
            read(sender, changed(whole, body))


@each_sender
def test_headers_are_read_in_any_spelling(sender: str) -> None:
    request = sent(sender)
    shouted = {name.upper(): value for name, value in request.headers.items()}

    assert read(sender, Incoming(request.body, shouted)) == read(sender, request)


@requirement("FR-10")
@each_sender
def test_a_replaced_secret_is_taken_until_its_time_is_over(sender: str) -> None:
    old, new = Secret(SECRET, until=NOW + timedelta(hours=1)), Secret(OTHER_SECRET)
    with_old, with_new = sent(sender), sent(sender, secret=OTHER_SECRET)

    assert read(sender, with_old, new, old)
    assert read(sender, with_new, new, old)
    later = NOW + timedelta(hours=1)
    assert read(sender, sent(sender, secret=OTHER_SECRET, at=later), new, old, now=later)
    with pytest.raises(SignatureInvalid):
        read(sender, sent(sender, at=later), new, old, now=later)


@each_sender
def test_a_trigger_without_a_secret_believes_nobody(sender: str) -> None:
    provider = PROVIDERS[SENDERS[sender][0]]

    for secrets in ([], [Secret("")], [Secret(SECRET, until=NOW)]):
        for request in (sent(sender), sent(sender, secret="whsec_")):
            with pytest.raises(SignatureInvalid):
                provider.read(request, secrets, NOW)


@requirement("FR-10")
@pytest.mark.parametrize("sender", WINDOWS)
def test_a_delivery_is_taken_within_its_window_only(sender: str) -> None:
    window, second = WINDOWS[sender], timedelta(seconds=1)

    for at in (NOW - window, NOW + window):
        assert read(sender, sent(sender, at=at))
    for at in (NOW - window - second, NOW + window + second):
        with pytest.raises(DeliveryStale):
            read(sender, sent(sender, at=at))


@pytest.mark.parametrize("sender", WINDOWS)
def test_only_who_signed_hears_that_a_delivery_is_stale(sender: str) -> None:
    request = sent(sender, secret=OTHER_SECRET, at=NOW - timedelta(days=9))

    with pytest.raises(SignatureInvalid):
        read(sender, request)


@each_sender
@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "multipart/form-data; boundary=x", "application/jsonp"]
)
def test_another_content_type_is_refused(sender: str, content_type: str) -> None:
    with pytest.raises(DeliveryInvalid, match="content type"):
        read(sender, changed(sent(sender), content_type=content_type))


@each_sender
@pytest.mark.parametrize(
    "body", [b"[]", b'"text"', b"null", b"7", b"{", b"\xff\xfe", b"", b"{}" * 2, b"\xef\xbb\xbf{}"]
)
def test_a_signed_body_that_is_no_json_object_is_refused(sender: str, body: bytes) -> None:
    with pytest.raises(DeliveryInvalid):
        read(sender, sent(sender, body))


@each_sender
def test_a_delivery_without_an_id_is_refused(sender: str) -> None:
    ids = {"github": "X-GitHub-Delivery", "linear": "Linear-Delivery", "bearer": "webhook-id"}
    request = without(sent(sender), ids[sender]) if sender in ids else sent(sender, b"{}")
    if sender == "custom":
        request = sent(sender, delivery_id="")

    with pytest.raises(DeliveryInvalid):
        read(sender, request)


@requirement("FR-10")
@each_sender
def test_a_refusal_tells_neither_secret_nor_signature_nor_what_was_wrong(sender: str) -> None:
    forged = sent(sender, secret=OTHER_SECRET)
    refusals = []
    for request in (forged, without(forged, PROOFS[sender]), changed(forged, b"{}")):
        with pytest.raises(SignatureInvalid) as refusal:
            read(sender, request)
        refusals.append(refusal.value)

    told = {(str(one), str(one.details), one.code) for one in refusals}
    assert len(told) == 1
    shown = f"{told} {Secret(SECRET)!r} {forged!r} {Handshake(token=SECRET)!r}"
    assert SECRET not in shown
    assert OTHER_SECRET not in shown
    assert forged.header(PROOFS[sender]) not in shown


@requirement("FR-10")
@pytest.mark.parametrize("sender", SIGNED)
@given(data=st.data())
@settings(max_examples=60)
def test_any_flipped_bit_is_refused(sender: str, data: st.DataObject) -> None:
    request = sent(sender)
    of_proof = data.draw(st.booleans())
    whole = request.header(PROOFS[sender]).encode() if of_proof else request.body
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    flipped = bytearray(whole)
    flipped[at // 8] ^= 1 << at % 8
    if of_proof:
        request = changed(request, **{PROOFS[sender]: flipped.decode("latin-1")})
    else:
        request = changed(request, bytes(flipped))

    with pytest.raises(SignatureInvalid):
        read(sender, request)


NAMES = sorted(
    {name for _, send in SENDERS.values() for name in send().headers} | {"webhook-event"}
)
ANYTHING = st.one_of(
    st.binary(max_size=200),
    st.text(st.characters(), max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.sampled_from(
            [b"1", b'"a"', b'"\\u0000"', b'"\\ud800"', b"NaN", b"-1e999", b"9" * 5_000, b"null"]
        ),
        lambda inner: st.one_of(
            inner.map(lambda part: b"[" + part + b"]"),
            st.tuples(st.sampled_from([b"id", b"type", b"timestamp", b"event"]), inner).map(
                lambda pair: b'{"' + pair[0] + b'":' + pair[1] + b"}"
            ),
        ),
        max_leaves=20,
    ),
)


@requirement("FR-10")
@each_sender
@given(body=ANYTHING, headers=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=40)))
@settings(max_examples=80)
def test_whatever_comes_is_read_or_refused(
    sender: str, body: bytes, headers: dict[str, str]
) -> None:
    provider = PROVIDERS[SENDERS[sender][0]]

    for request in (Incoming(body, headers), sent(sender, body), changed(sent(sender), **headers)):
        for secrets in ([], [Secret(SECRET)], [Secret("plain secret of ours")]):
            with contextlib.suppress(SignatureInvalid, DeliveryStale, DeliveryInvalid):
                provider.read(request, secrets, NOW)


def test_a_new_secret_can_be_used_and_is_never_the_same() -> None:
    made = {new_secret() for _ in range(20)}

    assert len(made) == 20
    for secret in made:
        refuse_unusable(secret)


@pytest.mark.parametrize(
    "secret",
    ["", "short", "a" * 501, "with a\nline break in it", "ünlike any secret of a service",
     "whsec_", "whsec_bm90IGxvbmc=", "whsec_not base64 at all, is it?", "whsec_" + "YWJj" * 40],
)  # fmt: skip
def test_what_cannot_be_a_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(WebhookSecretInvalid) as refusal:
        refuse_unusable(secret)

    assert not secret or secret not in str(refusal.value)
