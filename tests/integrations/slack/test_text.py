"""Markdown to Slack's own form, and back to what people see."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.integrations.slack.mrkdwn import from_markdown, mentioned, to_text

_EMPHASIS = ["*", "**", "***", "_", "__", "~~", "`", "```"]
_REFERENCES = ["[", "](", ")", "<", ">", "<@U1>", "<!here>", "https://x.example"]
_LINES = ["\n", "# ", "- ", "> ", "|", " ", "&", "a", "b c", "<https://x.example|y>"]
MARKS = st.sampled_from([*_EMPHASIS, *_REFERENCES, *_LINES])
TEXTS = st.one_of(st.text(max_size=200), st.lists(MARKS, max_size=60).map("".join))

ALLOWED = re.compile(r"<(?:@[A-Z0-9]+|#[A-Z0-9]+|(?:https?://|mailto:)[^<>|\n]+(?:\|[^<>|\n]*)?)>")


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("**bold** and *italic* and ***both***", "*bold* and _italic_ and *_both_*"),
        ("__bold__ and _italic_ and ~~gone~~", "*bold* and _italic_ and ~gone~"),
        ("**a *b* c**", "*a _b_ c*"),
        ("# **Title** #1", "*Title #1*"),
        ("- one\n* two\n  + three", "\u2022 one\n\u2022 two\n  \u2022 three"),
        ("- [ ] open\n- [x] done", "\u2610 open\n\u2611 done"),
        ("1. first\n2. second", "1. first\n2. second"),
        ("> said\n>> twice", "> said\n> twice"),
        ("[docs](https://x.example/a_b?c=1&d=2)", "<https://x.example/a_b?c=1&amp;d=2|docs>"),
        ("[wiki](https://x.example/A_(b))", "<https://x.example/A_(b)|wiki>"),
        ("![plan](https://x.example/p.png)", "<https://x.example/p.png|plan>"),
        ("<https://x.example>", "<https://x.example>"),
        ("[x](javascript:alert)", "[x](javascript:alert)"),
        ("2 * 3 * 4 < 5 & 6 > 1", "2 * 3 * 4 &lt; 5 &amp; 6 &gt; 1"),
        ("snake_case_name", "snake_case_name"),
        ("`**code** <b>`", "`**code** &lt;b&gt;`"),
        ("```python\nif a < b:\n    # x\n```\n**x**", "```\nif a &lt; b:\n    # x\n```\n*x*"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\nend", "```\n| a | b |\n|---|---|\n| 1 | 2 |\n```\nend"),
        ("Hi <@U0ADA00000>, see <#C0GENERAL0>", "Hi <@U0ADA00000>, see <#C0GENERAL0>"),
        ("<!channel> <!here> <!subteam^S1>", "&lt;!channel&gt; &lt;!here&gt; &lt;!subteam^S1&gt;"),
        ("```\nnever closed", "```\nnever closed\n```"),
        ("", ""),
    ],
)
def test_markdown_becomes_mrkdwn(markdown: str, mrkdwn: str) -> None:
    assert from_markdown(markdown) == mrkdwn


@given(TEXTS)
def test_nothing_but_mentions_and_links_is_left_for_slack_to_interpret(text: str) -> None:
    rest = ALLOWED.sub("", from_markdown(text))

    assert "<" not in rest
    assert not re.search(r"(?m)(?<!^)>", rest)  # a quote begins a line


@given(TEXTS)
def test_code_fences_come_in_pairs(text: str) -> None:
    lines = from_markdown(text).split("\n")

    assert sum(line == "```" for line in lines) % 2 == 0


@given(st.text(alphabet=st.characters(categories=("L", "N", "Zs")), max_size=200))
def test_words_without_marks_come_back_as_they_were(text: str) -> None:
    assert to_text(from_markdown(text), {}) == text


@given(TEXTS)
def test_any_text_of_a_message_can_be_shown(text: str) -> None:
    to_text(text, {})
    mentioned(text)


@pytest.mark.parametrize(
    "piece", ["**a ", "*a ", "[", "[a](", "> ", ">    ", "`", "~~a ", "__a ", "# ", "<", "| "]
)
def test_a_text_made_of_openings_is_converted_before_the_test_times_out(piece: str) -> None:
    from_markdown(piece * (40_000 // len(piece)))


@pytest.mark.parametrize(
    ("mrkdwn", "seen"),
    [
        ("<@U1> and <@U2>", "@Ada and @U2"),
        ("<@U1|ada>", "@ada"),
        ("<#C1|general> <#C2>", "#general #C2"),
        ("<!here> <!subteam^S1|@ops>", "@here @ops"),
        ("<!date^1795248000^{date}|21 November>", "21 November"),
        (
            "<https://x.example|docs> <https://x.example>",
            "[docs](https://x.example) https://x.example",
        ),
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt;", "&lt;"),
        ("<> <|x>", "<> <|x>"),
    ],
)
def test_mrkdwn_is_shown_as_people_see_it(mrkdwn: str, seen: str) -> None:
    assert to_text(mrkdwn, {"U1": "Ada"}) == seen


def test_people_without_names_are_mentioned_by_their_ids() -> None:
    assert mentioned("<@U1> <@U2|bob> <#C1> <@U1>") == ["U1", "U1"]
