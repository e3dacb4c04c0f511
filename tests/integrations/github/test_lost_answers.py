"""Writes to GitHub whose answers were lost, and rehearsals."""

import pytest

from omniforge.errors import (
    OutcomeUnknown,
)
from tests.integrations.github.samples import REPO, WRITES
from tests.support.github_api import GitHubApi
from tests.support.integrations import Toolbox
from tests.support.requirements import requirement


@requirement("INT-2")
@pytest.mark.parametrize("name", ["github_create_issue", "github_comment_on_issue"])
async def test_what_was_written_is_found_by_its_marker(
    tools: Toolbox, github: GitHubApi, name: str
) -> None:
    assert await tools.find(name, **WRITES[name]) is None

    github.cuts_next(has_acted=True)
    with pytest.raises(OutcomeUnknown):
        await tools.call(name, **WRITES[name])
    for number in range(150):
        if name == "github_create_issue":
            github.issue(REPO, f"Later {number}")
        else:
            github.comment(REPO, 1, f"Later {number}")

    found = await tools.find(name, **WRITES[name])

    assert found["url"].startswith(f"https://github.com/{REPO}/issues/")
    assert "omniforge" not in str(found)


async def test_a_lookup_that_cannot_see_enough_does_not_say_no(
    tools: Toolbox, github: GitHubApi
) -> None:
    for number in range(1_001):
        github.issue(REPO, f"Later {number}")

    with pytest.raises(OutcomeUnknown, match="not among the newest 1000"):
        await tools.find("github_create_issue", **WRITES["github_create_issue"])


@requirement("DRY-1")
@pytest.mark.parametrize("name", WRITES)
async def test_a_rehearsal_shows_the_request_and_sends_nothing(
    tools: Toolbox, github: GitHubApi, name: str
) -> None:
    shown = await tools.rehearse(name, **WRITES[name])

    assert shown["held"] is True
    assert shown["request"]["url"].startswith(f"{github.url}/repos/{REPO}/issues")
    assert shown["request"]["body"]
    assert github.writes == []
