import contextlib
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.errors import TryAgain
from omniforge.tools.tables.dates import DateColumn, DateOrder, parse_day
from omniforge.tools.tables.numerals import NumberStyle
from omniforge.tools.tables.statuses import is_done
from tests.support.requirements import requirement

FRIDAY = date(2026, 11, 20)


@requirement("TOOL-3")
@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04", "2026/3/4", "2026-03-04T17:30:00Z", "2026-03-04 17:30:00.123+01:00", "04.03.2026",
        "4.3.26", "04.03.2026, 17:30 Uhr", "4 Mar 2026", "4. März 2026", "4-Mar-2026", "Mar 4, 2026",
        "March 4th, 2026 at 5:30 PM", "Wed, 4 Mar 2026 17:30", "Mittwoch, 4. März 2026", "03/04/2026",
        "3/4/26 5:30 pm", " 2026-03-04 ",
    ],
)  # fmt: skip
def test_the_fourth_of_march_is_understood_as_people_write_it(text: str) -> None:
    read = DateOrder().read(text)

    assert read is not None
    assert read.date() == date(2026, 3, 4)


def test_the_time_of_day_is_kept() -> None:
    assert DateOrder().read("12/01/2026 12:05 AM") == datetime.fromisoformat("2026-12-01T00:05")


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-13-01", "31.02.2026", "4 Mad 2026", "12", "2026-01-01 25:00", "1/2/3"],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert DateOrder().read(text) is None


def test_one_day_above_twelve_decides_the_order_of_a_column() -> None:
    column = DateColumn.of("Due", ["03/04/2026", "25/04/2026", "2026-04-05", ""])

    assert [value and value.date() for value in column.values] == [
        date(2026, 4, 3), date(2026, 4, 25), date(2026, 4, 5), None,
    ]  # fmt: skip
    assert column.notes == ()


def test_without_evidence_the_month_comes_first_and_a_note_says_so() -> None:
    column = DateColumn.of("Due", ["03/04/2026"])

    assert column.values == [datetime.fromisoformat("2026-03-04")]
    assert "the month was taken to come first" in column.notes[0]


def test_dates_that_cannot_be_read_are_counted_and_shown() -> None:
    column = DateColumn.of("Due", ["2026-03-04", "tbd", "next week", "tbd"])

    assert column.notes == ("3 values in 'Due' are not a date I can read: 'tbd', 'next week'.",)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-11-20"), ("today+7d", "2026-11-27"), ("today - 2w", "2026-11-06"),
        ("Today-1m", "2026-10-20"), ("today+1y", "2027-11-20"), ("2026-02-28", "2026-02-28"),
        ("2026-02-28T10:00:00Z", "2026-02-28"),
    ],
)  # fmt: skip
def test_days_in_arguments_are_iso_or_relative_to_today(text: str, day: str) -> None:
    assert parse_day(text, FRIDAY) == date.fromisoformat(day)


def test_a_month_after_the_thirty_first_ends_with_the_month() -> None:
    assert parse_day("today+1m", date(2027, 1, 31)) == date(2027, 2, 28)


@pytest.mark.parametrize("text", ["tomorrow", "today+999999y", "03/04/2026", "today+", ""])
def test_other_days_are_refused_with_the_forms_that_work(text: str) -> None:
    with pytest.raises(TryAgain, match=r"today\+7d"):
        parse_day(text, FRIDAY)


@requirement("TOOL-3")
@settings(deadline=None)
@given(
    cells=st.lists(
        st.one_of(st.text(max_size=30), st.from_regex(r"[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{1,4}"))
    )
)
def test_any_column_can_be_read_as_dates_and_every_loss_is_told(cells: list[str]) -> None:
    column = DateColumn.of("any", cells)

    lost = [
        cell
        for cell, value in zip(cells, column.values, strict=True)
        if cell.strip() and value is None
    ]
    assert len(column.values) == len(cells)
    assert any("not a date" in note for note in column.notes) is bool(lost)


@settings(deadline=None)
@given(text=st.text(max_size=20))
def test_any_day_in_arguments_is_a_day_or_words_for_the_model(text: str) -> None:
    with contextlib.suppress(TryAgain):
        assert isinstance(parse_day(text, FRIDAY), date)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1.234,56", "1.234"], [1234.56, 1234]),
        (["1,234.56", "1,234"], [1234.56, 1234]),
        (["0,5", "12,25 €", "1 000,00"], [0.5, 12.25, 1000.0]),
        (["-3", "+4", "$5.00", "7 %", "1'250.5"], [-3, 4, 5.0, 7, 1250.5]),
        (["1.234.567"], [1234567]),
        (["007", "1.2.3", "12a", "", "1,23,4", "nan", "1e5"], [None] * 7),
    ],
)
def test_numbers_are_read_as_their_column_writes_them(
    cells: list[str], numbers: list[float | None]
) -> None:
    style = NumberStyle.of(cells)

    assert [style.read(cell) for cell in cells] == numbers
    assert not style.is_guess


def test_a_number_that_could_be_either_is_read_with_a_point_and_called_a_guess() -> None:
    style = NumberStyle.of(["1,234"])

    assert (style.is_guess, style.read("1,234"), style.read("1.234")) == (True, 1234, 1.234)


@settings(deadline=None)
@given(text=st.one_of(st.text(max_size=20), st.text("0123456789.,-+' %€", max_size=50)))
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    for style in (NumberStyle(), NumberStyle(decimal_comma=True)):
        number = style.read(text)
        assert number is None or abs(number) < float("inf")


@pytest.mark.parametrize(
    "status",
    ["Done", " done ", "CLOSED", "Erledigt am 3.4.", "Won't do", "100 %", "✓", "Cancelled (dup)"],
)
def test_statuses_that_mean_done(status: str) -> None:
    assert is_done(status)


@pytest.mark.parametrize(
    "status",
    ["", "In Progress", "Not done", "noch nicht fertig", "Reopened", "To be closed", "99 %"],
)
def test_statuses_that_mean_open(status: str) -> None:
    assert not is_done(status)
