"""What a model is shown of Slack's objects, whatever those hold."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.integrations.slack import shapes
from omniforge.integrations.trimming import MAX_CHARS

CANARY = "s3cr3t-value"
TEXTS = st.sampled_from((None, "", "Hi <@U1>", "<https://x.example|a> " * 2_000, "&lt;" * 9_000))
UNUSED = st.dictionaries(
    st.sampled_from(("url_private", "token", "metadata", "blocks", "team", "image_72", "phone")),
    st.just(CANARY),
)


def holding(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = st.fixed_dictionaries({}, optional=fields)
    return st.builds(lambda one, other: {**other, **one}, known, UNUSED)


MESSAGES = holding(
    ts=st.sampled_from(("1795248001.000001", "", "nonsense", "9" * 40)),
    thread_ts=st.sampled_from(("1795248001.000001", "1795248002.000001")),
    user=st.sampled_from((None, "U1", "U2")),
    username=TEXTS.map(lambda text: text and text[:80]),
    bot_profile=st.one_of(st.none(), holding(name=st.just("Deploys"))),
    text=TEXTS,
    attachments=st.one_of(st.none(), st.lists(holding(fallback=TEXTS, text=TEXTS), max_size=2)),
    reactions=st.one_of(
        st.none(),
        st.lists(st.fixed_dictionaries({"name": st.just("tada"), "count": st.integers(1, 9)})),
    ),
    files=st.lists(holding(name=st.just("a.pdf")), max_size=50),
    reply_count=st.integers(0, 9),
    edited=st.just({"user": "U1"}),
)
CHANNELS = holding(
    id=st.just("C0GENERAL0"),
    name=st.just("general"),
    topic=st.one_of(st.none(), holding(value=TEXTS)),
    purpose=st.one_of(st.none(), holding(value=TEXTS)),
    num_members=st.integers(0, 9),
    is_member=st.booleans(),
)
PEOPLE = holding(
    id=st.just("U1"),
    name=st.just("ada"),
    real_name=st.just("Ada Lovelace"),
    profile=st.one_of(st.none(), holding(display_name=st.just(""), title=TEXTS)),
    deleted=st.booleans(),
)


@settings(deadline=None)
@given(MESSAGES)
def test_a_message_shows_no_more_than_a_model_needs(message: dict[str, Any]) -> None:
    names = dict.fromkeys(shapes.people_in([message]), "Ada")

    is_trimmed(shapes.message(message, names))
    is_trimmed(shapes.hit({**message, "channel": {"id": "C1", "name": "general"}}, names))


@given(CHANNELS, PEOPLE)
def test_channels_and_people_show_no_more(channel: dict[str, Any], person: dict[str, Any]) -> None:
    is_trimmed(shapes.channel(channel))
    is_trimmed(shapes.person(person))


def is_trimmed(shown: dict[str, Any]) -> None:
    told = json.dumps(shown, ensure_ascii=False)
    assert CANARY not in told
    assert len(told) < MAX_CHARS / 2
    assert None not in shown.values()
