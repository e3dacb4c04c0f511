"""Nights in which clocks change, and the day that not every year has, as docs/schedules.md tells them."""

from datetime import UTC, date, datetime

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.support.requirements import requirement
from tests.triggers.asked import spec, times
from tests.triggers.nights import EXPRESSIONS, PAGE, Night, Table, tables

NIGHTS = {
    Night("Europe/Berlin", date(2027, 3, 28)),
    Night("Europe/Berlin", date(2027, 10, 31)),
    Night("America/New_York", date(2027, 3, 14)),
    Night("America/New_York", date(2027, 11, 7)),
}
TABLES = [*tables(PAGE.read_text())]


def test_the_page_tells_both_changes_of_both_zones_for_every_expression() -> None:
    assert {table.night for table in TABLES} == NIGHTS
    assert all(tuple(table.rows) == EXPRESSIONS for table in TABLES)


@requirement("FR-9", "NFR-4")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.night.zone}-{table.night.day}")
async def test_the_server_fires_as_the_page_says(
    temporal: WorkflowEnvironment, table: Table
) -> None:
    answered = {
        expression: await table.night.fires(temporal.client, expression)
        for expression in table.rows
    }

    assert answered == table.rows


async def test_the_29th_of_february_comes_in_leap_years_alone(
    temporal: WorkflowEnvironment,
) -> None:
    start, end = datetime(2027, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)

    answered = await times(temporal.client, spec("0 0 29 2 *"), start, end)

    assert answered == [datetime(year, 2, 29, tzinfo=UTC) for year in (2028, 2032, 2036, 2040)]
