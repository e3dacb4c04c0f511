"""What can go wrong with a call to GitHub, for each tool."""

from collections.abc import Callable

from omniforge.errors import (
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    ServiceAnswerInvalid,
    ServiceRefused,
    ServiceUnavailable,
)
from tests.integrations.calling import OpenBox, refused
from tests.integrations.github.samples import ALL, READS, REPO, WRITES
from tests.support.github_api import GitHubApi
from tests.support.integrations import Toolbox
from tests.support.json_service import Told
from tests.support.requirements import requirement


@requirement("INT-2")
async def test_a_refused_token_is_made_new_once(github: GitHubApi, open_box: OpenBox) -> None:
    for name in ALL:
        box = open_box("token-1", "token-2")
        github.tokens = {"token-2"}
        await box.call(name, **ALL[name])
        github.tokens = set()
        error = await refused(box, name, ALL[name])

        assert isinstance(error, ConnectionBroken), name
        assert error.connection_id == "connection-1"
        assert "token-" not in str(error)


async def test_missing_scopes_are_named(tools: Toolbox, github: GitHubApi) -> None:
    for name in ALL:
        github.fails_next(
            403, {"message": "Forbidden"}, x_oauth_scopes="gist", x_accepted_oauth_scopes="repo"
        )
        error = await refused(tools, name, ALL[name])

        assert isinstance(error, ConnectionBroken), name
        assert error.missing == ("repo",)


async def test_an_organisation_that_wants_its_own_sign_on_is_told_of(
    tools: Toolbox, github: GitHubApi
) -> None:
    github.fails_next(403, {"message": "Protected"}, x_github_sso="required; url=https://x.example")

    error = await refused(tools, "github_list_issues", ALL["github_list_issues"])

    assert isinstance(error, ConnectionBroken)
    assert "its own sign-on" in str(error)


async def test_refusals_are_told_in_the_services_words(tools: Toolbox, github: GitHubApi) -> None:
    invalid = {"message": "Validation Failed", "errors": [{"field": "q", "message": "is odd"}]}
    refusals = (
        (403, {"message": "Must have admin rights"}, "may not do that; Must have admin rights"),
        (404, {"message": "Not Found"}, "the connected account cannot see it"),
        (410, {"message": "Issues are disabled"}, "Issues are disabled"),
        (422, invalid, "Validation Failed: q: is odd"),
    )
    for name in ALL:
        for status, body, told in refusals:
            github.fails_next(status, body)
            error = await refused(tools, name, ALL[name])
            assert type(error) is ServiceRefused, name
            assert told in str(error)


async def test_a_short_limit_is_waited_for_and_a_long_one_told(
    github: GitHubApi, open_box: OpenBox
) -> None:
    for name in ALL:
        box = open_box()
        github.fails_next(429, retry_after="0")
        await box.call(name, **ALL[name])

        github.fails_next(403, {"message": "You have exceeded a secondary rate limit."})
        error = await refused(box, name, ALL[name])
        asked = len(github.requests)
        again = await refused(box, name, ALL[name])

        assert isinstance(error, RateLimited), name
        assert 59 < error.retry_after <= 60
        assert isinstance(again, RateLimited)
        assert len(github.requests) == asked  # the account rests, so nobody even asks


async def test_a_used_up_budget_holds_back_the_calls_that_count_toward_it(
    github: GitHubApi, open_box: OpenBox
) -> None:
    box = open_box()
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}
    github.tells_next(Told({"message": "API rate limit exceeded"}, 403, headers))

    error = await refused(box, "github_search_issues", ALL["github_search_issues"])

    assert isinstance(error, RateLimited)
    assert error.retry_after > 3_600
    assert await box.call("github_list_issues", repo=REPO)  # its limit is another


async def test_reads_get_over_what_passes(tools: Toolbox, github: GitHubApi) -> None:
    for name in READS:
        github.fails_next(500)
        github.cuts_next(has_acted=False)
        github.fails_next(502)
        assert await tools.call(name, **READS[name])


async def test_reads_say_what_stays_wrong(tools: Toolbox, github: GitHubApi) -> None:
    for name in READS:
        github.fails_next(503, times=4)
        assert isinstance(await refused(tools, name, ALL[name]), ServiceUnavailable), name

        github.sends_html_next()
        error = await refused(tools, name, ALL[name])
        assert isinstance(error, ServiceAnswerInvalid), name
        assert "not JSON (text/html)" in str(error)

        github.sends_too_much_next()
        error = await refused(tools, name, ALL[name])
        assert isinstance(error, ServiceAnswerInvalid), name
        assert "more than 5,000,000 bytes" in str(error)


@requirement("INT-2")
async def test_of_a_write_nobody_knows_unless_it_was_refused(
    tools: Toolbox, github: GitHubApi
) -> None:
    faults: tuple[Callable[[], None], ...] = (
        lambda: github.fails_next(500),
        lambda: github.cuts_next(has_acted=True),
        lambda: github.sends_html_next(201),
        github.sends_too_much_next,
    )
    for name in WRITES:
        for fault in faults:
            fault()
            asked = len(github.requests)
            assert isinstance(await refused(tools, name, ALL[name]), OutcomeUnknown), name
            assert len(github.requests) == asked + 1  # never sent twice
