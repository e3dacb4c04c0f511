"""What is taken as cron, what it means, and what is said of everything else."""

import itertools
import random
from datetime import date, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from omniforge.agents.triggers.cron import LONGEST, parse_cron
from omniforge.errors import CronInvalid
from tests.support.cron import Expression, an_expression

expressions = st.randoms(use_true_random=False).map(an_expression)


def expanded(text: str, low: int, high: int) -> set[int]:
    """A field as a scheduler reads it that knows numbers only: `*`, `5`, `1-5` and `1-5/2`, in lists."""
    values: set[int] = set()
    for part in text.split(","):
        ends, _, step = part.partition("/")
        first, _, last = f"{low}-{high}".partition("-") if ends == "*" else ends.partition("-")
        values |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return values


def days_of(expression: str, year: int) -> set[date]:
    """The days on which all of its fields match."""
    _, _, *fields = expression.split()
    days, months, weekdays = map(expanded, fields, (1, 1, 0), (31, 12, 6))
    weekdays = {number % 7 for number in weekdays}
    return {
        day
        for day in days_in(year)
        if day.day in days and day.month in months and (day.weekday() + 1) % 7 in weekdays
    }


def days_in(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [day for number in range(366) if (day := first + timedelta(number)).year == year]


@given(expressions)
@settings(deadline=None)
def test_the_union_of_the_expressions_is_what_vixies_cron_fires_at(written: Expression) -> None:
    cron = parse_cron(written.text)

    for expression in cron.expressions:
        minutes, hours, *_ = expression.split()
        assert expanded(minutes, 0, 59) == written.minute.values
        assert expanded(hours, 0, 23) == written.hour.values
    for year in (2027, 2028):
        union = set().union(*(days_of(each, year) for each in cron.expressions))
        assert union == {day for day in days_in(year) if written.matches_day(day)}


@given(expressions)
@settings(deadline=None)
def test_the_numbers_are_those_that_the_text_names(written: Expression) -> None:
    cron = parse_cron(written.text)

    assert cron.minutes == written.minute.values
    assert cron.hours == written.hour.values
    assert cron.days == written.day.values
    assert cron.months == written.month.values
    assert cron.weekdays == {number % 7 for number in written.weekday.values}


@given(expressions)
@settings(deadline=None)
def test_what_was_read_reads_the_same_again(written: Expression) -> None:
    cron = parse_cron(written.text)

    assert parse_cron(cron.text) == cron
    for expression in cron.expressions:
        assert parse_cron(expression).expressions == (expression,)


@given(st.text() | st.text("0123456789*,-/ ?lLwW#@nf") | st.text("1*,-/ ", min_size=9))
@settings(deadline=None)
@example("@")
@example("\ud800 * * * *")
@example("/ - , * 0")
def test_any_other_text_is_refused_and_never_breaks_the_parser(text: str) -> None:
    refused = ""
    try:
        parse_cron(text)
    except CronInvalid as error:
        refused = error.message

    assert refused.isascii()
    assert len(refused) < 500


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        (" @Daily ", "0 0 * * *"),
        ("0 9 * * Mon-FRI", "0 9 * * 1-5"),
        ("0 9 * dec,Jan *", "0 9 * 12,1 *"),
        ("\t0   9 * *\t7", "0 9 * * 7"),
        ("0 9 * * fri-sun", "0 9 * * 5-7"),
        ("0 9 * * sun-tue", "0 9 * * 0-2"),
        ("05 09 * * *", "5 9 * * *"),
        ("*/1 0-23 * * *", "* * * * *"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 31 */2 *", "0 0 31 */2 *"),
    ],
)
def test_words_names_and_sundays_become_numbers(text: str, expression: str) -> None:
    assert parse_cron(text).expressions == (expression,)


@pytest.mark.parametrize(
    ("text", "expressions"),
    [
        ("0 9 13 * 5", ("0 9 13 * *", "0 9 * * 5")),
        ("0 9 1-31 * 5", ("0 9 * * *", "0 9 * * 5")),
        ("0 9 1-31/2 * 0-7/3", ("0 9 */2 * *", "0 9 * * */3")),
        ("0 9 */2 * 5", ("0 9 */2 * 5",)),
        ("0 9 *,13 * 5", ("0 9 *,13 * 5",)),
        ("0 9 13 * */2", ("0 9 13 * */2",)),
        ("0 9 13 * *", ("0 9 13 * *",)),
        ("0 9 * * 5", ("0 9 * * 5",)),
    ],
)
def test_a_day_matches_by_either_field_unless_one_begins_with_a_star(
    text: str, expressions: tuple[str, ...]
) -> None:
    assert parse_cron(text).expressions == expressions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # other crons
        ("0 0 ? * *", "The day of month: `?` is of another kind of cron. Write `*`."),
        ("0 0 L * *", "(L, the last) is of another kind of cron. Write a day that every month has"),
        ("0 0 L-3 * *", "(L, the last)"),
        ("0 0 LW * *", "(L, the last)"),
        ("0 0 * * 5L", "The day of week: `5l` (L, the last)"),
        ("0 0 * * friL", "`fril` is not known. Write `fri`."),
        (
            "0 0 15W * *",
            "`15w` (W, the nearest weekday) is of another kind of cron. Write a fixed day.",
        ),
        (
            "0 0 * * 5#2",
            "`5#2` counts weekdays within a month, which cron cannot. Write the weekday",
        ),
        ("0 0 12 * * ?", "this one has 6. Drop the first one (seconds): `0 12 * * *`."),
        ("*/30 * * * * *", "Drop the first one (seconds): `* * * * *`."),
        ("0 12 * * 1 2027", "Drop the last one (year): `0 12 * * 1`."),
        (
            "0 0 12 1 1 ? 2027",
            "Drop the first one (seconds) and the last one (year): `0 12 1 1 *`.",
        ),
        ("CRON_TZ=Europe/Berlin 0 9 * * *", "`timezone`. Set it there, and take `CRON_TZ=` out"),
        ("TZ=UTC 0 9 * * *", "take `TZ=` out"),
        ("@every 90s", "for example `*/15 * * * *` for every 15 minutes, or one of `@hourly`"),
        ("@reboot", "no machine starts here. Write when"),
        ("@noon", "`@noon` is not a word of cron. The words are `@hourly`"),
        ("@daily 5", "`@daily 5` is not a word of cron."),
        ("H H * * *", "The minute: `h` is not understood."),
        # values
        ("60 * * * *", "The minute: `60` is out of range. Write 0 to 59."),
        ("0 24 * * *", "The hour: `24` is out of range. Write 0 to 23."),
        ("0 0 0 * *", "The day of month: `0` is out of range. Write 1 to 31."),
        ("0 0 * 13 *", "The month: `13` is out of range. Write 1 to 12, or jan feb"),
        ("0 0 * * 8", "The day of week: `8` is out of range. Write 0 to 7, or sun mon"),
        ("0 0 * * friday", "The day of week: `friday` is not known. Write `fri`."),
        ("0 0 * april *", "The month: `april` is not known. Write `apr`."),
        ("0 0 * mon *", "The month: `mon` is not understood. Write 1 to 12, or jan feb"),
        ("-5 * * * *", "The minute: `-5` is not understood."),
        ("1.5 * * * *", "The minute: `1.5` is not understood."),
        # ranges, steps and lists
        ("0 22-3 * * *", "The hour: `22-3` runs backwards. Write `22-23,0-3`."),
        ("0 22-0 * * *", "Write `22-23,0`."),
        ("0 0 * * fri-mon", "Write `fri-sat,sun-mon`."),
        ("0 0 * dec-feb *", "Write `dec,jan-feb`."),
        ("0 0 * * 5-0", "Write `5-6,0`."),
        ("1-2-3 * * * *", "`1-2-3` is not understood"),
        ("*-5 * * * *", "`*-5` is not understood"),
        ("*/0 * * * *", "The minute: `*/0` has a step of 0. Write 1 or more."),
        ("*/90 * * * *", "would match one value only. Write that value, or a step up to 59."),
        ("5/15 * * * *", "Write `5-59/15`, or `5` alone."),
        ("0 0 * * 7/2", "Write `7-7/2`, or `7` alone."),
        ("5/90 * * * *", "Write that value, or a step up to 59."),
        ("*/x * * * *", "`*/x` is not understood"),
        ("1,,2 * * * *", "`1,,2` has a comma with nothing beside it. Take the comma out."),
        ("1, * * * *", "`1,` has a comma with nothing beside it."),
        # dates that never come
        ("0 0 31 2 *", "The day of month: 31 never comes in feb. Write a day up to 29"),
        ("0 0 30 2 *", "30 never comes in feb"),
        ("0 0 31 4,6,9,11 *", "31 never comes in apr, jun, sep, nov. Write a day up to 30"),
        ("0 0 30-31 feb mon", "30 never comes in feb"),
        # the text
        ("", "has five fields: minute, hour, day of month, month, day of week. This one has 0"),
        ("0 9 * *", "This one has 4; for example `0 9 * * mon-fri`"),
        ("* * * * * * * *", "This one has 8"),
        ("0 0 * * *\n", "The character U+000A means nothing in cron."),
        ("0 0 * * *\0", "U+0000"),
        ("\u0663 * * * *", "U+0663"),
        ("\uff11 * * * *", "U+FF11"),
        ("0 0\u00a0* * *", "U+00A0"),
        ("0" * 101, f"at most {LONGEST} characters; this one has 101."),
    ],
)
def test_a_refusal_says_where_what_and_what_to_write_instead(text: str, said: str) -> None:
    with pytest.raises(CronInvalid) as refused:
        parse_cron(text)

    assert said in refused.value.message


@pytest.mark.parametrize("field", range(5))
def test_a_range_that_runs_backwards_is_written_right_in_its_refusal(field: int) -> None:
    values = ("sun mon sat jan feb dec " + " ".join(map(str, range(60)))).split()
    corrected = 0
    for first, last in itertools.product(values, values):
        fields = ["*"] * 5
        fields[field] = f"{first}-{last}"
        try:
            parse_cron(" ".join(fields))
        except CronInvalid as refused:
            if "runs backwards" in refused.message:
                fields[field] = refused.message.split("`")[3]
                parse_cron(" ".join(fields))
                corrected += 1
    assert corrected >= 20


def test_a_list_of_minutes_as_long_as_may_be_is_read_at_once() -> None:
    text = ",".join(str(number) for number in range(0, 60, 2)) + " * * * *"

    assert len(text) <= LONGEST
    assert parse_cron(text).minutes == frozenset(range(0, 60, 2))


def test_chance_makes_expressions_of_every_kind() -> None:
    drawn = [an_expression(random.Random(seed)) for seed in range(300)]  # noqa: S311 - makes up tests

    parsed = [parse_cron(each.text) for each in drawn]
    assert sum(cron.either_day for cron in parsed) > 20
    assert sum("/" in cron.text for cron in parsed) > 100
    assert sum(any(char.isalpha() for char in cron.text) for cron in parsed) > 50
