"""From a skill's body to the instructions of one run."""

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.errors import SkillInvalid
from omniforge.skills import (
    Arguments,
    ContextLoader,
    SkillParser,
    StringSubstitutor,
    standard_variables,
)
from tests.skills.making import folder
from tests.support.requirements import requirement


def filled(text: str, arguments: str | Mapping[str, object] = "", **variables: str) -> str:
    return StringSubstitutor().substitute(text, arguments, variables)


@requirement("SKL-4")
def test_arguments_are_filled_in_whole_by_number_and_by_name() -> None:
    text = "$ARGUMENTS | $ARGUMENTS[0] | $ARGUMENTS[1] | $team"

    assert filled(text, {"team": "ops", "days": 7}) == '{"team": "ops", "days": 7} | ops | 7 | ops'
    assert filled(text, '{"team": "ops", "days": [1]}').endswith("| ops | [1] | ops")
    assert filled(text, "fix 'two words'") == "fix 'two words' | fix | two words | $team"
    assert StringSubstitutor().substitute(text, Arguments.of("a b", ["team"])) == "a b | a | b | a"


@requirement("SKL-4")
@pytest.mark.parametrize(
    "text",
    [
        "$PATH and $5 and $",
        "${UNKNOWN} ${}",
        "$ARGUMENTS[9]",
        "${input.table} ${steps.1.count} ${input.column|Due}",
        "$ARGUMENTSX",
        "$teamwork",
        "!`rm -rf $HOME`",
    ],
)
def test_what_has_no_value_stays_as_it_is(text: str) -> None:
    assert filled(text, {"team": "ops"}, DATE="2026-01-01") == text


@requirement("SKL-4")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("fix two", "fix two $2 $1.50 $1,50 $100"),
        ({"verb": "fix", "what": "two"}, "$0 $1 $2 $1.50 $1,50 $100"),
    ],
)
@requirement("SKL-4")
def test_words_have_numbers_and_prices_stay(arguments: str | dict[str, str], text: str) -> None:
    assert filled("$0 $1 $2 $1.50 $1,50 $100", arguments) == text


def test_variables_are_filled_in_also_inside_code_fences() -> None:
    variables = standard_variables("/skills/x", "s1", date(2026, 3, 4))

    text = (
        "```\n${SKILL_DIR}/run ${CLAUDE_SKILL_DIR} ${SESSION_ID} ${DATE} ${CLAUDE_SESSION_ID}\n```"
    )

    assert filled(text, "", **variables) == "```\n/skills/x/run /skills/x s1 2026-03-04 s1\n```"


@requirement("SKL-4")
def test_what_was_filled_in_is_not_looked_at_again() -> None:
    assert filled("$a $b", {"a": "$b ${DATE} $ARGUMENTS", "b": "B"}, DATE="d") == (
        "$b ${DATE} $ARGUMENTS B"
    )


@requirement("SKL-4")
def test_a_small_skill_cannot_be_blown_up_by_its_arguments() -> None:
    with pytest.raises(SkillInvalid, match="longer than"):
        filled("$ARGUMENTS " * 1_000, "x" * 10_000)


@given(text=st.text(), arguments=st.text())
@settings(deadline=None, max_examples=150)
def test_a_text_without_a_dollar_is_never_changed(text: str, arguments: str) -> None:
    plain = text.replace("$", "")

    assert filled(plain, arguments) == plain


@requirement("SKL-4")
def test_supporting_files_are_listed_with_their_size_and_without_skill_md() -> None:
    skill = SkillParser().parse(folder() | {"scripts/b.py": b"12", "a.md": b"1"}, "weekly-report")

    assert ContextLoader().listing(skill) == "- a.md (1 bytes)\n- scripts/b.py (2 bytes)"
