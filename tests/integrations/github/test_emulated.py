"""GitHub's tools against a GitHub that others have rebuilt: what ours takes for granted may be wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniforge.errors import ServiceRefused
from tests.support.emulate import emulated
from tests.support.integrations import Toolbox
from tests.support.requirements import requirement

REPO = "ada/shop"
SEED = {
    "tokens": {"token-1": {"login": "ada", "scopes": ["repo", "user"]}},
    "github": {
        "users": [{"login": "ada", "name": "Ada", "email": "ada@example.com"}],
        "repos": [{"owner": "ada", "name": "shop", "private": False, "auto_init": True}],
    },
}


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncIterator[Toolbox]:
    async with emulated("github", SEED, tmp_path) as url:
        box = Toolbox("github", url, tmp_path)
        yield box
        await box.http.aclose()


@requirement("INT-2")
async def test_issues_live_a_whole_life(tools: Toolbox) -> None:
    title, number = "It crashes", {"repo": REPO, "number": 1}
    wanted = {"repo": REPO, "title": title, "body": "On **start**.", "labels": ["bug"]}

    assert await tools.find("github_create_issue", **wanted) is None
    made = await tools.call("github_create_issue", **wanted)
    assert await tools.find("github_create_issue", **wanted) == made
    said = await tools.call("github_comment_on_issue", **number, body="I see it, too.")
    assert await tools.find("github_comment_on_issue", **number, body="x") == said
    closed = await tools.call("github_update_issue", **number, state="closed", labels=[])
    read = await tools.call("github_get_issue", **number)
    found = await tools.call("github_search_issues", query=f"repo:{REPO} crashes")
    still_open = await tools.call("github_list_issues", repo=REPO)

    assert (made["title"], made["labels"], made["author"]) == (title, ["bug"], "ada")
    assert (closed["state"], "labels" in closed) == ("closed", False)
    assert (read["body"], read["latest_comments"][0]["body"]) == ("On **start**.", "I see it, too.")
    assert [each["title"] for each in found["issues"]] == [title]
    assert still_open == {"issues": []}


@requirement("INT-2")
async def test_code_is_read_and_lists_are_paged(tools: Toolbox) -> None:
    for number in range(5):
        created = {"repo": REPO, "title": f"Number {number}"}
        await tools.call("github_create_issue", **created)

    first = await tools.call("github_list_issues", repo=REPO, limit=3)
    second = await tools.call("github_list_issues", repo=REPO, cursor=first["next_cursor"])
    readme = await tools.call("github_read_file", repo=REPO, path="README.md")
    folder = await tools.call("github_read_file", repo=REPO, path="/")
    commits = await tools.call("github_list_commits", repo=REPO)

    titles = [each["title"] for page in (first, second) for each in page["issues"]]
    assert titles == [f"Number {number}" for number in (4, 3, 2, 1, 0)]
    assert "shop" in readme["content"]
    assert [each["path"] for each in folder["entries"]] == ["README.md"]
    assert commits["commits"][0]["message"] == "Initial commit"
    assert (await tools.call("github_search_code", query="shop"))["files"]
    assert await tools.call("github_list_pull_requests", repo=REPO) == {"pull_requests": []}
    assert await tools.call("github_list_workflow_runs", repo=REPO) == {"runs": []}


async def test_what_is_not_there_or_not_right_is_told(tools: Toolbox) -> None:
    with pytest.raises(ServiceRefused, match="no such thing"):
        await tools.call("github_get_issue", repo=REPO, number=77)
    with pytest.raises(ServiceRefused, match="no such thing"):
        await tools.call("github_read_file", repo=REPO, path="nowhere.md")
    with pytest.raises(ServiceRefused, match="no such thing"):
        await tools.call("github_list_issues", repo="ada/nowhere")


@requirement("DRY-1")
async def test_a_rehearsal_leaves_it_as_it_was(tools: Toolbox) -> None:
    await tools.rehearse("github_create_issue", repo=REPO, title="Never")

    assert await tools.call("github_list_issues", repo=REPO, state="all") == {"issues": []}
