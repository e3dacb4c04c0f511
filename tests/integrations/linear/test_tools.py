"""What each of Linear's tools is for."""

from typing import Any

import pytest

from omniforge.errors import (
    TryAgain,
)
from omniforge.journal.steps import EffectClass
from tests.integrations.linear.samples import ALL, READS
from tests.support.integrations import Toolbox
from tests.support.linear_api import LinearApi
from tests.support.requirements import requirement


@requirement("INT-2")
def test_every_tool_has_a_sample_here_and_says_what_kind_it_is(tools: Toolbox) -> None:
    kinds = {name: spec.effect for name, spec in tools.specs.items()}
    scopes = {scope for each in tools.integration.operations for scope in each.scopes}

    assert kinds.keys() == ALL.keys()
    assert scopes <= set(tools.integration.oauth.scopes)
    assert {kinds[name] for name in READS} == {EffectClass.READ}
    assert kinds["linear_create_issue"] is EffectClass.FINDABLE
    assert kinds["linear_comment_on_issue"] is EffectClass.FINDABLE
    assert kinds["linear_update_issue"] is EffectClass.KEYED


async def test_issues_are_narrowed_by_each_filter(tools: Toolbox, linear: LinearApi) -> None:
    ada, launch = linear.users[0], linear.projects[0]
    done = linear.teams[0]["states"]["nodes"][2]
    bug = {"nodes": [linear.labels[0]]}
    linear.issue("Late", assignee=ada, project=launch, state=done, labels=bug)
    linear.issue("Elsewhere", "OPS")

    async def titles(**filters: Any) -> list[str]:
        answer = await tools.call("linear_list_issues", **filters)
        return [each["title"] for each in answer["issues"]]

    assert await titles() == ["The crash", "Late", "Elsewhere"]
    assert await titles(team="engineering") == ["The crash", "Late"]
    assert await titles(state="done") == ["Late"]
    assert await titles(state_type="unstarted", team="ENG") == ["The crash"]
    assert await titles(assignee="me") == await titles(assignee="ada@example.com") == ["Late"]
    assert await titles(assignee="nobody", team="OPS") == ["Elsewhere"]
    assert await titles(label="BUG") == await titles(project="launch") == ["Late"]
    assert await titles(updated_since="2999-01-01T00:00:00Z") == []


async def test_an_issue_is_created_by_the_names_that_people_use(
    tools: Toolbox, linear: LinearApi
) -> None:
    made = await tools.call(
        "linear_create_issue",
        team="Engineering",
        title="Slow",
        description="Why?",
        state="in progress",
        assignee="grace@example.com",
        priority="high",
        labels=["Bug", "perf"],
        project="Launch",
        due_date="2026-12-01",
    )

    assert made["id"] == "ENG-2"
    assert (made["state"], made["assignee"], made["priority"]) == ("In Progress", "Grace", "High")
    assert (made["labels"], made["project"]) == (["bug", "perf"], "Launch")
    assert linear.issues[-1]["labels"]["nodes"][1]["team"]["key"] == "ENG"


async def test_names_that_are_not_known_are_sent_back_with_those_that_are(tools: Toolbox) -> None:
    for told, arguments in (
        ("no team 'ENGG'.*ENG \\(Engineering\\)", {"team": "ENGG"}),
        ("no state 'Doing'.*Todo, In Progress, Done", {"team": "ENG", "state": "Doing"}),
        ("no user 'Bob'.*linear_list_users", {"team": "ENG", "assignee": "Bob"}),
        ("no labels ui in Linear", {"team": "ENG", "labels": ["bug", "ui"]}),
        ("no project 'Moon'.*linear_list_projects", {"team": "ENG", "project": "Moon"}),
    ):
        with pytest.raises(TryAgain, match=told):
            await tools.call("linear_create_issue", title="x", **arguments)


async def test_an_issue_is_changed_commented_on_and_read(tools: Toolbox, linear: LinearApi) -> None:
    changed = await tools.call(
        "linear_update_issue", issue="ENG-1", state="Done", assignee="grace", labels=[]
    )
    for number in range(25):
        await tools.call("linear_comment_on_issue", issue="ENG-1", body=f"Comment {number}")
        linear.comments[-1]["id"] = f"other-{number}"
    read = await tools.call("linear_get_issue", issue="ENG-1")
    rest = await tools.call("linear_get_issue", issue="ENG-1", comments_cursor=read["next_cursor"])
    freed = await tools.call("linear_update_issue", issue="ENG-1", assignee="nobody")

    assert (changed["state"], changed["assignee"]) == ("Done", "Grace")
    assert read["description"] == "It crashes."
    assert [len(each["comments"]) for each in (read, rest)] == [20, 5]
    assert "assignee" not in freed
    with pytest.raises(TryAgain, match="Nothing to change"):
        await tools.call("linear_update_issue", issue="ENG-1")


async def test_the_workspace_is_listed(tools: Toolbox) -> None:
    teams = await tools.call("linear_list_teams")
    users = await tools.call("linear_list_users")
    projects = await tools.call("linear_list_projects", team="ENG")
    nothing = await tools.call("linear_list_projects", team="OPS")

    assert [each["key"] for each in teams["teams"]] == ["ENG", "OPS"]
    assert teams["teams"][0]["states"][0] == {"name": "Todo", "type": "unstarted"}
    assert users["users"] == [
        {"name": "Ada", "email": "ada@example.com", "is_me": True},
        {"name": "Grace", "email": "grace@example.com"},
    ]
    assert projects["projects"][0]["percent_done"] == 25
    assert nothing == {"projects": []}


async def test_lists_are_paged_to_their_end(tools: Toolbox, linear: LinearApi) -> None:
    for number in range(60):
        linear.issue(f"Number {number}")

    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(9):
        page = await tools.call("linear_list_issues", limit=25, **cursor)
        seen += [each["id"] for each in page["issues"]]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert len(seen) == len(set(seen)) == 61
