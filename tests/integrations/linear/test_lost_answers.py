"""Writes to Linear whose answers were lost, and rehearsals."""

import pytest

from omniforge.errors import (
    OutcomeUnknown,
)
from tests.integrations.linear.samples import WRITES
from tests.support.integrations import Toolbox
from tests.support.linear_api import LinearApi
from tests.support.requirements import requirement


@requirement("INT-2")
@pytest.mark.parametrize(
    ("name", "operation"),
    [("linear_create_issue", "CreateIssue"), ("linear_comment_on_issue", "CreateComment")],
)
async def test_what_was_written_is_found_by_the_id_it_was_given(
    tools: Toolbox, linear: LinearApi, name: str, operation: str
) -> None:
    assert await tools.find(name, **WRITES[name]) is None

    linear.cuts_next(has_acted=True, path=operation)
    with pytest.raises(OutcomeUnknown):
        await tools.call(name, **WRITES[name])

    found = await tools.find(name, **WRITES[name])
    again = await tools.call(name, **WRITES[name])  # as if the first sending had arrived late

    assert found == again
    assert len(linear.issues) + len(linear.comments) == 2


@requirement("DRY-1")
@pytest.mark.parametrize("name", WRITES)
async def test_a_rehearsal_shows_the_request_and_sends_nothing(
    tools: Toolbox, linear: LinearApi, name: str
) -> None:
    shown = await tools.rehearse(name, **WRITES[name])

    assert shown["request"]["url"] == f"{linear.url}/graphql"
    assert shown["request"]["body"]["variables"]["input"]
    assert linear.writes == []
    assert all("mutation" not in each.json["query"] for each in linear.requests)
