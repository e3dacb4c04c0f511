"""The sentence that people read in the place of an expression."""

import random
import re
from collections.abc import Hashable

import pytest

from omniforge.agents.triggers.cron import Cron, parse_cron
from omniforge.agents.triggers.words import in_words
from tests.docs.pages import ROOT
from tests.support.cron import an_expression


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # times of a day
        ("0 8 * * *", "Every day at 08:00"),
        ("0 8 * * 1-5", "Every weekday at 08:00"),
        ("@daily", "Every day at 00:00"),
        ("@weekly", "Every Sunday at 00:00"),
        ("0 9,12,17 * * *", "Every day at 09:00, 12:00 and 17:00"),
        ("*/30 8 * * *", "Every day at 08:00 and 08:30"),
        ("0 */5 * * *", "Every day at 00:00, 05:00, 10:00, 15:00 and 20:00"),
        ("30 9-17/2 * * 1-5", "Every weekday at 09:30, 11:30, 13:30, 15:30 and 17:30"),
        ("10-40/10 6 * * 6,0", "Every Saturday and Sunday at 06:10, 06:20, 06:30 and 06:40"),
        # rounds
        ("* * * * *", "Every minute"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("*/15 9-17 * * 1", "Every 15 minutes between 09:00 and 17:59 on Monday"),
        ("*/15 8 * * *", "Every 15 minutes between 08:00 and 08:59"),
        ("* 8 * * *", "Every minute between 08:00 and 08:59"),
        (
            "*/5 8-9,16-18 * * 1-5",
            "Every 5 minutes between 08:00 and 09:59 and between 16:00 and 18:59 on weekdays",
        ),
        ("*/20 1,5,9 * * *", "Every 20 minutes in the hours 1, 5 and 9"),
        ("@hourly", "Every hour"),
        ("15 * * * *", "At minute 15 of every hour"),
        ("0 9-17 * * *", "Every hour from 09:00 to 17:00"),
        ("0 8-12,14-18 * * *", "Every hour from 08:00 to 12:00 and from 14:00 to 18:00"),
        ("0 */2 * * *", "Every 2 hours from 00:00 to 22:00"),
        ("30 1-23/2 * * *", "Every 2 hours from 01:30 to 23:30"),
        # what only looks like a round
        ("*/7 * * * *", "At every 7th minute from 0 to 56 of every hour"),
        ("*/25 * * * *", "At minutes 0, 25 and 50 of every hour"),
        ("5,20,50 * * * 1-5", "At minutes 5, 20 and 50 of every hour on weekdays"),
        ("5,35 9,10,14,17 * * *", "At minutes 5 and 35 of the hours 9, 10, 14 and 17"),
        ("0-9,30 9-12 * * *", "At minutes 0 to 9 and 30 of every hour between 09:00 and 12:59"),
        ("0-29 8 * * *", "At minutes 0 to 29 of the hour from 08:00"),
        (
            "15 0-2,7-9,20 * * *",
            "Every day at 00:15, 01:15, 02:15, 07:15, 08:15, 09:15 and 20:15",
        ),
        # dates
        ("30 9 1,15 * *", "At 09:30 on the 1st and the 15th"),
        ("30 9 1,15 * 5", "At 09:30 on the 1st and the 15th, and every Friday"),
        ("0 0 2,3,11-13,22 * *", "At 00:00 on the 2nd, the 3rd, the 11th to the 13th and the 22nd"),
        ("0 0 1-7 * 1", "At 00:00 on every day from the 1st to the 7th, and every Monday"),
        ("0 0 */2 * *", "At 00:00 on every 2nd day from the 1st to the 31st"),
        ("0 0 13 * */5", "At 00:00 on the 13th, only if it is a Friday or Sunday"),
        (
            "0 0 */2 * 5",
            "At 00:00 on every 2nd day from the 1st to the 31st, only if it is a Friday",
        ),
        ("0 0 1-31 * 1", "Every day at 00:00"),
        ("0 0 3 * 0-7", "Every day at 00:00"),
        ("*/15 * 1 * *", "Every 15 minutes on the 1st"),
        # days that not every month has
        ("0 0 31 * *", "At 00:00 on the 31st where the month has it"),
        ("0 0 29 * *", "At 00:00 on the 29th where the month has it"),
        ("0 0 30,31 * *", "At 00:00 on the 30th and the 31st where the month has them"),
        ("0 0 31 1,3 *", "At 00:00 on the 31st, only in January and March"),
        ("0 0 29 2 *", "At 00:00 on 29 February, in leap years"),
        ("0 0 28,29 2 *", "At 00:00 on 28 and 29 February"),
        # months
        ("@yearly", "At 00:00 on 1 January"),
        ("0 0 1-5 3 *", "At 00:00 on 1 to 5 March"),
        ("0 0 */2 3 *", "At 00:00 on every 2nd day from the 1st to the 31st, only in March"),
        ("0 0 15 3,6 *", "At 00:00 on the 15th, only in March and June"),
        ("0 12 * 6-8 0", "Every Sunday at 12:00, only from June to August"),
        ("0 0 1 1 1", "At 00:00 on the 1st, and every Monday, only in January"),
        ("*/15 * * 12 *", "Every 15 minutes, only in December"),
    ],
)
def test_a_sentence_says_when(text: str, words: str) -> None:
    assert in_words(parse_cron(text), "UTC") == words


def test_the_page_has_the_sentences_that_people_will_read() -> None:
    section = (ROOT / "docs" / "schedules.md").read_text().partition("\n## Time zones")[0]
    examples = re.findall(r"^\| `([^`]+)` \| ((?:At|Every) .+) \|$", section, re.MULTILINE)

    assert len(examples) >= 10
    assert examples == [(text, in_words(parse_cron(text))) for text, _ in examples]


def test_the_time_zone_is_named_where_it_is_not_utc() -> None:
    cron = parse_cron("0 8 * * 1-5")

    assert in_words(cron, "Europe/Berlin") == "Every weekday at 08:00 (Europe/Berlin)"


def test_expressions_that_fire_at_other_times_never_share_a_sentence() -> None:
    meant: dict[str, tuple[Hashable, str]] = {}
    for seed in range(6_000):
        text = an_expression(random.Random(seed)).text  # noqa: S311 - makes up tests
        cron = parse_cron(text)
        fires, first = meant.setdefault(in_words(cron), (_meaning(cron), text))
        assert fires == _meaning(cron), f"{first!r} and {text!r} are both: {in_words(cron)}"


def _meaning(cron: Cron) -> Hashable:
    """Two expressions fire at the same times exactly if this is the same for both."""
    days = frozenset(
        (number, weekday)
        for number in range(1, 32)
        for weekday in range(7)
        if _fires_on(cron, number, weekday)
    )
    return cron.minutes, cron.hours, cron.months, days


def _fires_on(cron: Cron, number: int, weekday: int) -> bool:
    matches = number in cron.days, weekday in cron.weekdays
    return any(matches) if cron.either_day else all(matches)
