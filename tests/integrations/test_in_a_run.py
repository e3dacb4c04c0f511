"""Integrations' tools inside a skill: what the journal makes of lost answers, and what a dry run sends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from omniforge.errors import IntegrationUnknown
from omniforge.execution.autonomous import AutonomousConfig
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.rehearsal import Rehearsal
from omniforge.execution.work import Script
from omniforge.integrations.catalog import all_integrations, integration, integration_tools
from omniforge.integrations.http.access import HttpAccess
from omniforge.integrations.operations import Operation
from omniforge.journal.journal import Journal
from omniforge.journal.steps import EffectClass, Origin, StepStatus
from omniforge.tools.protocol import Tool
from omniforge.tools.registry import ToolRegistry
from tests.execution.making import KEY, Bench, a_skill
from tests.support.github_api import GitHubApi
from tests.support.integrations import Tokens
from tests.support.linear_api import LinearApi
from tests.support.requirements import requirement

REPO = "acme/shop"
CREATE = ("github_create_issue", {"repo": REPO, "title": "Slow"})


@pytest.fixture
async def github() -> AsyncIterator[GitHubApi]:
    async with GitHubApi() as api:
        api.repository(REPO)
        yield api


@pytest.fixture
async def http(github: GitHubApi) -> AsyncIterator[HttpAccess]:
    access = HttpAccess({"github": github.url}, first_pause=0.01)
    yield access
    await access.aclose()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def soon_visible(http: HttpAccess) -> list[Tool]:
    """GitHub's tools, with what they write to be seen at once."""
    found = integration("github")
    return replace(found, operations=tuple(map(_quick, found.operations))).tools(Tokens(), http)


def _quick(operation: Operation[Any]) -> Operation[Any]:
    if operation.spec.visible_after is None:
        return operation
    return replace(operation, spec=replace(operation.spec, visible_after=timedelta(milliseconds=1)))


@requirement("INT-2")
async def test_a_lost_answer_is_looked_up_and_nothing_is_done_twice(
    bench: Bench, github: GitHubApi, http: HttpAccess
) -> None:
    github.cuts_next(has_acted=True)
    bench.model.calls(CREATE).answers("Done.")

    result = await bench.run(*soon_visible(http))

    assert result.success
    assert [each["title"] for each in github.repositories[REPO].issues] == ["Slow"]
    assert '"number": 1' in bench.observed()[0]
    assert bench.steps[2] == ("github_create_issue", StepStatus.CONFIRMED)


@requirement("INT-2")
async def test_what_never_arrived_is_sent_again_under_the_same_marker(
    bench: Bench, github: GitHubApi, http: HttpAccess
) -> None:
    github.cuts_next(has_acted=False)
    bench.model.calls(CREATE).answers("Done.")

    result = await bench.run(*soon_visible(http))

    sent = [each.json["body"] for each in github.writes]
    assert result.success
    assert len(github.repositories[REPO].issues) == 1
    assert len(sent) == 2
    assert sent[0] == sent[1]


@requirement("DRY-1")
async def test_a_dry_run_reads_for_real_and_sends_no_write(
    bench: Bench, github: GitHubApi, http: HttpAccess
) -> None:
    github.issue(REPO, "There already")
    listing = ("github_list_issues", {"repo": REPO})
    bench.model.calls(listing, CREATE).answers("Done.")
    tools = integration_tools("github", Tokens(), http.for_rehearsal())
    executor = ExecutorFactory(tools, bench.model).make(
        a_skill(),
        AutonomousConfig(workspace=bench.workspace),
        await Journal.open(bench.store, KEY, "s"),
        rehearsal=Rehearsal("n", Script()),
    )

    result = await executor.execute_sync("go", "task-1", "session-1", "tenant-1")

    read, held = bench.recorded[2:4]
    assert result.success
    assert (read.origin, held.origin) == (Origin.REAL, Origin.INVENTED)
    assert held.answer["request"]["method"] == "POST"
    assert github.writes == []


# ---- the catalogue ---------------------------------------------------------------------------


def test_the_catalogue_finds_each_folder(tmp_path: Path) -> None:
    assert {"github", "linear"} <= set(all_integrations())
    with pytest.raises(IntegrationUnknown, match=r"github, linear"):
        integration("gitlab")


@requirement("INT-2")
@pytest.mark.parametrize("name", all_integrations())
def test_an_integration_is_described_whole(name: str) -> None:
    found = integration(name)
    specs = [operation.spec for operation in found.operations]

    assert 6 <= len(specs) <= 12
    assert found.oauth.integration_id == found.name == name
    assert found.service.base_url.startswith("https://")
    assert all(spec.name.startswith(f"{name}_") and spec.is_outside for spec in specs)
    for operation in found.operations:
        effect = operation.spec.effect
        assert (effect is EffectClass.FINDABLE) == (operation.find is not None)
        assert (effect is EffectClass.KEYED) == (operation.spec.key_lifetime is not None)
    ToolRegistry(found.tools(Tokens(), HttpAccess()))


@requirement("DRY-1")
async def test_in_a_rehearsal_not_even_a_tool_that_claims_to_read_can_write(
    github: GitHubApi, http: HttpAccess, bench: Bench
) -> None:
    found = integration("github")
    liars = tuple(
        replace(each, spec=replace(each.spec, effect=EffectClass.READ)) for each in found.operations
    )
    tools = replace(found, operations=liars).tools(Tokens(), http.for_rehearsal())
    bench.model.calls(CREATE).answers("Done.")

    await bench.run(*tools)

    assert "Only reading is allowed here" in bench.observed()[0]
    assert github.writes == []


async def test_two_services_share_one_access(tmp_path: Path) -> None:
    async with GitHubApi() as github, LinearApi() as linear:
        github.repository(REPO)
        access = HttpAccess({"github": github.url, "linear": linear.url})
        tools = [
            tool
            for name in ("github", "linear")
            for tool in integration_tools(name, Tokens(), access)
        ]
        bench = Bench(tmp_path)
        bench.model.calls(
            ("github_list_issues", {"repo": REPO}), ("linear_list_teams", {})
        ).answers("Done.")

        await bench.run(*tools)

        assert '"issues": []' in bench.observed()[0]
        assert "Engineering" in bench.observed()[1]
        await access.aclose()
