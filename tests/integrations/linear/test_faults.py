"""What can go wrong with a call to Linear, for each tool."""

from omniforge.errors import (
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    ServiceAnswerInvalid,
    ServiceRefused,
    ServiceUnavailable,
)
from tests.integrations.calling import OpenBox, refused
from tests.integrations.linear.samples import ALL, READS
from tests.support.integrations import Toolbox
from tests.support.json_service import Told
from tests.support.linear_api import LinearApi, refusal
from tests.support.requirements import requirement


async def test_a_refused_token_is_made_new_once(linear: LinearApi, open_box: OpenBox) -> None:
    for name in ALL:
        box = open_box("token-1", "token-2")
        linear.tokens = {"token-2"}
        await box.call(name, **ALL[name])
        linear.tokens = set()

        assert isinstance(await refused(box, name, ALL[name]), ConnectionBroken), name
        linear.comments.clear()
        del linear.issues[1:]


async def test_errors_with_a_good_status_are_told_apart(
    linear: LinearApi, open_box: OpenBox
) -> None:
    said = "Title is not allowed"
    for name in ALL:
        box = open_box()
        linear.tells_next(refusal("Invalid scope: `write` required", "forbidden"))
        error = await refused(box, name, ALL[name])
        assert isinstance(error, ConnectionBroken), name
        assert error.missing == ("write",)

        linear.tells_next(refusal("Argument Validation Error", "invalid input", words=said))
        error = await refused(box, name, ALL[name])
        assert type(error) is ServiceRefused, name
        assert said in str(error)

        reset = {"x-ratelimit-complexity-remaining": "0", "x-ratelimit-complexity-reset": "9" * 13}
        limited = refusal("Rate limit exceeded", "ratelimited", 400, code="RATELIMITED")
        linear.tells_next(Told(limited.body, 400, reset))
        error = await refused(box, name, ALL[name])
        assert isinstance(error, RateLimited), name
        assert error.retry_after > 3_600


async def test_reads_get_over_what_passes_and_say_what_stays(
    tools: Toolbox, linear: LinearApi
) -> None:
    for name in READS:
        linear.fails_next(500)
        linear.cuts_next(has_acted=False)
        linear.tells_next(refusal("Oh", "internal error"))
        assert await tools.call(name, **READS[name])

        linear.fails_next(502, times=4)
        assert isinstance(await refused(tools, name, ALL[name]), ServiceUnavailable), name
        linear.sends_html_next()
        assert isinstance(await refused(tools, name, ALL[name]), ServiceAnswerInvalid), name
        linear.sends_too_much_next()
        assert isinstance(await refused(tools, name, ALL[name]), ServiceAnswerInvalid), name


@requirement("INT-2")
async def test_of_a_write_nobody_knows_unless_it_was_refused(
    tools: Toolbox, linear: LinearApi
) -> None:
    doubts = (Told({}, 500), refusal("Oh", "internal error"), refusal("Oh", "lock timeout"))
    for name, operation in (
        ("linear_create_issue", "CreateIssue"),
        ("linear_update_issue", "UpdateIssue"),
        ("linear_comment_on_issue", "CreateComment"),
    ):
        for told in doubts:
            linear.tells_next(told, path=operation)
            ahead = len(linear.writes)
            assert isinstance(await refused(tools, name, ALL[name]), OutcomeUnknown), name
            assert len(linear.writes) == ahead + 1  # never sent twice
