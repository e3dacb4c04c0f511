"""Long conversations: notes take the place of older turns before the model's window is full."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from omniforge.errors import ContextTooLong, ModelRefused
from omniforge.execution.loop.preamble import Rules
from omniforge.journal.ports import Decision, InboxItem
from omniforge.journal.steps import EffectClass
from omniforge.llm.protocol import Author, Completion
from omniforge.tools.builtin.asking import ask_tool
from tests.execution.making import KEY, Bench, a_skill, a_tool
from tests.execution.reading import (
    NOTES,
    SMALL,
    a_book,
    compactions,
    is_summing_up,
    questions,
    reading,
    tokens_of,
)
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling


@requirement("RAC-5")
async def test_older_turns_become_notes_before_the_window_is_full(bench: Bench) -> None:
    bench.model.takes(SMALL).decides(reading(30))

    result = await bench.run(a_book(), max_tokens=1_000)

    assert result.final_answer == "All read."
    assert len(compactions(bench)) >= 2
    last = questions(bench)[-1]
    assert NOTES in last.messages[0].text
    assert "page 30: " in last.messages[-1].answers[0].content
    assert "page 2: " not in str(last.messages)
    first = questions(bench)[0]
    assert (last.system, last.tools) == (first.system, first.tools)
    assert last.messages[0].text.startswith(first.messages[0].text)


@requirement("RAC-5")
async def test_no_request_is_larger_than_the_window(bench: Bench) -> None:
    bench.model.takes(SMALL).decides(reading(40))

    await bench.run(a_book(), max_iterations=60, max_tokens=1_000)

    assert max(map(tokens_of, bench.model.asked)) + 1_000 < SMALL


async def test_a_conversation_keeps_its_roles_in_turn(bench: Bench) -> None:
    bench.model.takes(SMALL).decides(reading(25))

    await bench.run(a_book(), max_tokens=1_000)

    for asked in questions(bench):
        authors = [message.author for message in asked.messages]
        assert authors == [Author.USER, Author.ASSISTANT] * (len(authors) // 2) + [Author.USER]


async def test_a_window_that_is_large_enough_needs_no_notes(bench: Bench) -> None:
    bench.model.takes(1_000_000).decides(reading(30))

    assert (await bench.run(a_book())).success
    assert compactions(bench) == []


@requirement("RAC-5")
async def test_a_window_that_nobody_knows_is_the_one_of_the_settings(bench: Bench) -> None:
    bench.model.decides(reading(25))

    assert (await bench.run(a_book(), max_tokens=1_000, rules=Rules(context_window=SMALL))).success
    assert len(compactions(bench)) >= 1


async def test_an_answer_may_be_a_quarter_of_a_small_window_at_most(bench: Bench) -> None:
    bench.model.takes(8_000).answers("Done.")
    await bench.run(a_book())

    assert bench.model.asked[0].max_tokens == 2_000


async def test_people_see_what_became_notes(bench: Bench) -> None:
    bench.model.takes(SMALL).decides(reading(15))

    await bench.run(a_book(), max_tokens=1_000)

    told = compactions(bench)[0]
    assert (told.by, told.usage.model_calls) == ("model", 1)
    assert told.turns >= 3
    assert told.tokens > SMALL / 2


@requirement("RAC-5")
@pytest.mark.parametrize(
    "of_no_use",
    [ModelRefused("no"), answer("  "), calling(("read_page", {"text": "7"}))],
    ids=["refused", "empty", "call"],
)
async def test_without_a_models_notes_an_extract_takes_their_place(
    bench: Bench, of_no_use: Reply
) -> None:
    bench.model.takes(SMALL).decides(reading(20, of_no_use))

    result = await bench.run(a_book(), max_tokens=1_000)

    assert result.success
    assert {told.by for told in compactions(bench)} == {"rule"}
    head = questions(bench)[-1].messages[0].text
    assert '- called read_page {"text": "10"}' in head
    assert "read_page answered: page 10: word" in head


@requirement("RAC-5")
async def test_names_that_later_turns_need_stay_as_they_are(bench: Bench) -> None:
    def page(number: str) -> Any:
        link = f"https://shop.example/orders/{number}?v=7"
        return {"order_id": f"ord_{number}", "link": link, "text": "word " * 800}

    bench.model.takes(SMALL).decides(reading(20))
    await bench.run(a_book(page), max_tokens=1_000)

    head = questions(bench)[-1].messages[0].text
    assert '"order_id": "ord_7"' in head
    assert "https://shop.example/orders/7?v=7" in head


@requirement("RAC-5", "DUR-2")
async def test_what_was_sent_and_what_people_said_stay_word_for_word(bench: Bench) -> None:
    sent: list[str] = []

    async def send(text: str) -> str:
        sent.append(text)
        return "accepted"

    pages = reading(20)
    first = iter(
        [
            calling(("send", {"text": "Hello Ann"})),
            calling(("ask_user", {"question": "In euros?"})),
        ]
    )
    bench.model.takes(SMALL).decides(lambda asked: next(first, None) or pages(asked))
    tools = [a_book(), a_tool("send", send, EffectClass.ASK), ask_tool()]
    waiting = await bench.run(*tools, max_tokens=1_000)
    said = InboxItem("d1", waiting.waits[0].id, Decision.ANSWER, "us_anna", "No, in dollars.")
    bench.store.inbox[KEY] = [said]

    result = await bench.run(*tools, max_tokens=1_000)

    head = questions(bench)[-1].messages[0].text
    (effect,) = [step for step in bench.recorded if step.name == "send"]
    assert result.success
    assert f'send {{"text": "Hello Ann"}} (effect id {effect.effect_id}): done' in head
    assert "No, in dollars." in head.partition("## Decisions of people")[2].partition("##")[0]
    assert sent == ["Hello Ann"]


@requirement("SKL-3")
async def test_skills_that_were_loaded_stay_when_their_turn_goes(bench: Bench) -> None:
    tone = a_skill("Write $ARGUMENTS[0], in short sentences.", name="tone", files={"a.md": b"x"})
    pages, first = reading(30), iter([calling(("load_skill", LOADING))])
    bench.model.takes(SMALL).decides(lambda asked: next(first, None) or pages(asked))

    await bench.run(a_book(), on_demand=(tone,), max_tokens=1_000)

    assert len(compactions(bench)) >= 2
    assert "Write plainly, in short sentences." in questions(bench)[-1].messages[0].text


LOADING = {"name": "tone", "arguments": "plainly"}


# ---- requests that are too long all the same ---------------------------------------------------


def window_of(characters: int, decide: Callable[[Completion], Reply]) -> Any:
    """A provider that counts for itself."""

    def counting(asked: Completion) -> Reply:
        if len(str(asked.messages)) > characters:
            return ContextTooLong("prompt is too long")
        return decide(asked)

    return counting


@requirement("RAC-5")
async def test_a_request_that_was_too_long_is_made_again_with_less(bench: Bench) -> None:
    bench.model.takes(1_000_000).decides(window_of(30_000, reading(30)))

    result = await bench.run(a_book(), max_iterations=60)

    assert result.final_answer == "All read."
    assert len(compactions(bench)) >= 1
    # What was refused once is not tried for every turn.
    assert bench.told.count("conversation_compacted") == sum(
        is_summing_up(a) for a in bench.model.asked
    )
    assert sum(name == "model" and status == "failed" for name, status in bench.steps) <= 3


async def test_one_turn_that_fills_the_window_by_itself_is_cut(bench: Bench) -> None:
    bench.model.takes(1_000_000)
    pages = [("read_page", {"text": str(number)}) for number in range(10)]
    asked_for = iter([calling(*pages)])
    bench.model.decides(
        window_of(12_000, lambda asked: next(asked_for, None) or answer("All read."))
    )

    result = await bench.run(a_book(), max_tokens=500)

    assert result.success, result.error
    kept = questions(bench)[-1].messages[-1].answers
    assert len(kept) == 10
    assert all("characters cut to make room" in each.content for each in kept)
    assert all(each.content.endswith(">") for each in kept), "the frames are still closed"


@requirement("RAC-2")
async def test_what_cannot_be_made_smaller_ends_with_words_for_people(bench: Bench) -> None:
    bench.model.decides(lambda _: ContextTooLong("prompt is too long"))

    result = await bench.run(a_book())

    assert result.error is not None
    assert (bench.asked, result.error.code) == (1, "context_too_long")
    assert "larger window" in result.error.message


@requirement("RAC-5", "BUD-2")
async def test_notes_are_paid_for_like_any_turn(tmp_path: Path) -> None:
    bench, seen = Bench(tmp_path, cap="50"), list[Decimal]()
    pages = reading(20)

    def decide(asked: Completion) -> Reply:
        if is_summing_up(asked):
            seen.append(bench.stream.reserved)
        return pages(asked)

    bench.model.takes(SMALL).costs("0.00001").decides(decide)
    result = await bench.run(a_book(), max_tokens=1_000)

    assert min(seen) > 0
    assert bench.stream.reserved == 0
    assert result.cost == bench.stream.settled
    assert result.usage.model_calls == bench.asked


async def test_a_conversation_that_cannot_get_smaller_is_not_summed_up_again_and_again(
    bench: Bench,
) -> None:
    """The skill's own text takes most of the window."""
    bench.model.takes(SMALL).decides(reading(20))

    result = await bench.run(a_book(), skill=a_skill("word " * 9_000), max_tokens=1_000)

    assert result.success
    assert len(compactions(bench)) < 10
