"""What each of GitHub's tools is for."""

import pytest

from omniforge.errors import (
    TryAgain,
)
from omniforge.journal.steps import EffectClass
from tests.integrations.github.samples import ALL, READS, REPO
from tests.support.github_api import GitHubApi
from tests.support.integrations import EFFECT, Toolbox
from tests.support.requirements import requirement


@requirement("INT-2")
def test_every_tool_has_a_sample_here_and_says_what_kind_it_is(tools: Toolbox) -> None:
    kinds = {name: spec.effect for name, spec in tools.specs.items()}
    scopes = {scope for each in tools.integration.operations for scope in each.scopes}

    assert kinds.keys() == ALL.keys()
    assert scopes <= set(tools.integration.oauth.scopes)
    assert {kinds[name] for name in READS} == {EffectClass.READ}
    assert kinds["github_create_issue"] is EffectClass.FINDABLE
    assert kinds["github_comment_on_issue"] is EffectClass.FINDABLE
    assert kinds["github_update_issue"] is EffectClass.KEYED
    assert all(spec.is_outside for spec in tools.specs.values())


async def test_issues_are_searched_and_listed(tools: Toolbox, github: GitHubApi) -> None:
    github.issue(REPO, "Slow", state="closed")

    found = await tools.call("github_search_issues", query="crash")
    listed = await tools.call("github_list_issues", repo=REPO)
    closed = await tools.call("github_list_issues", repo=REPO, state="closed")
    bugs = await tools.call("github_list_issues", repo=REPO, state="all", labels=["bug"])

    assert [each["title"] for each in found["issues"]] == ["The crash", "A crash less"]
    assert found["issues"][1]["is_pull_request"] is True
    assert found["issues"][0]["repo"] == REPO
    assert [each["number"] for each in listed["issues"]] == [1]
    assert [each["title"] for each in closed["issues"]] == ["Slow"]
    assert [each["labels"] for each in bugs["issues"]] == [["bug"]]


async def test_an_issue_is_read_with_its_newest_comments_first_page_last(
    tools: Toolbox, github: GitHubApi
) -> None:
    for number in range(45):
        github.comment(REPO, 1, f"Comment {number}")

    newest = await tools.call("github_get_issue", repo=REPO, number=1)
    earlier = await tools.call(
        "github_get_issue", repo=REPO, number=1, comments_cursor=newest["next_cursor"]
    )

    assert newest["body"] == "It crashes."
    assert [each["body"] for each in newest["latest_comments"]][-1] == "Comment 44"
    assert earlier["latest_comments"][0]["body"] == "Comment 20"


async def test_a_long_text_comes_in_parts(tools: Toolbox, github: GitHubApi) -> None:
    github.issue(REPO, "Long", body="x" * 8_000 + "the end")

    begun = await tools.call("github_get_issue", repo=REPO, number=3)
    rest = await tools.call("github_get_issue", repo=REPO, number=3, body_offset=8_000)

    assert begun["body"].endswith("for more, ask with body_offset 8000]")
    assert rest["body"] == "the end"


async def test_an_issue_is_opened_changed_and_commented_on(
    tools: Toolbox, github: GitHubApi
) -> None:
    made = await tools.call(
        "github_create_issue",
        repo=REPO,
        title="Slow",
        body="Why?",
        labels=["perf"],
        assignees=["ada"],
    )
    number = made["number"]
    changed = await tools.call(
        "github_update_issue", repo=REPO, number=number, state="closed", labels=[]
    )
    said = await tools.call("github_comment_on_issue", repo=REPO, number=number, body="Done.")
    read = await tools.call("github_get_issue", repo=REPO, number=number)

    assert made["url"] == f"https://github.com/{REPO}/issues/{number}"
    assert (changed["state"], changed.get("labels")) == ("closed", None)
    assert said["body"] == "Done."
    assert (read["body"], read["latest_comments"][0]["body"]) == ("Why?", "Done.")
    assert f"omniforge:{EFFECT}" in github.repositories[REPO].issues[-1]["body"]


async def test_an_update_without_a_change_is_sent_back(tools: Toolbox, github: GitHubApi) -> None:
    with pytest.raises(TryAgain, match="Give one of title"):
        await tools.call("github_update_issue", repo=REPO, number=1)

    assert github.requests == []


async def test_pull_requests_commits_files_and_runs_are_read(tools: Toolbox) -> None:
    pulls = await tools.call("github_list_pull_requests", repo=REPO)
    pull = await tools.call("github_get_pull_request", repo=REPO, number=2, with_patches=True)
    commits = await tools.call("github_list_commits", repo=REPO, branch="main")
    runs = await tools.call("github_list_workflow_runs", repo=REPO, status="failure")
    code = await tools.call("github_search_code", query="shop")

    assert pulls["pull_requests"][0]["from_branch"] == "topic"
    assert pull["files"] == [{"path": "a.py", "additions": 1, "patch": "+1"}]
    assert commits["commits"] == [{"sha": "a" * 12, "message": "Begin all of it"}]
    assert runs["runs"][0]["workflow"] == "CI"
    assert code["files"][0]["path"] == "README.md"


async def test_files_and_folders_are_read_and_what_is_no_text_is_named(
    tools: Toolbox, github: GitHubApi
) -> None:
    files = github.repositories[REPO].files
    files |= {"docs/a b.md": b"A.", "logo.png": b"\x89PNG\r\n", "big.csv": b"x" * 1_000_001}

    text = await tools.call("github_read_file", repo=REPO, path="docs/a b.md")
    folder = await tools.call("github_read_file", repo=REPO, path="/")

    assert text == {"path": "docs/a b.md", "bytes": 2, "content": "A."}
    assert [each["path"] for each in folder["entries"]] == list(files)
    with pytest.raises(TryAgain, match="a PNG picture"):
        await tools.call("github_read_file", repo=REPO, path="logo.png")
    with pytest.raises(TryAgain, match="too many to be read"):
        await tools.call("github_read_file", repo=REPO, path="big.csv")


async def test_a_path_cannot_lead_out_of_its_repository(tools: Toolbox, github: GitHubApi) -> None:
    with pytest.raises(TryAgain, match="cannot be part of an address"):
        await tools.call("github_read_file", repo=REPO, path="../../../user")
    with pytest.raises(TryAgain, match="cannot be part of an address"):
        await tools.call("github_list_issues", repo="../..")

    assert github.requests == []


async def test_lists_that_are_empty_are_empty(tools: Toolbox, github: GitHubApi) -> None:
    github.repository("acme/new")
    for name in ("issues", "pull_requests", "commits", "workflow_runs"):
        answer = await tools.call(f"github_list_{name}", repo="acme/new")
        assert list(answer.values()) == [[]]
    assert await tools.call("github_search_code", query="nowhere") == {"files": []}


async def test_lists_are_paged_to_their_end(tools: Toolbox, github: GitHubApi) -> None:
    for number in range(60):
        github.issue(REPO, f"Number {number}")

    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(9):
        page = await tools.call("github_list_issues", repo=REPO, limit=25, **cursor)
        seen += [each["title"] for each in page["issues"]]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert len(seen) == len(set(seen)) == 61
    with pytest.raises(TryAgain, match="no cursor"):
        await tools.call("github_list_issues", repo=REPO, cursor="https://evil.example")
