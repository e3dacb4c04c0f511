"""MCP servers through the whole product: set up, named by an agent, used by its runs."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from tests.cli.driving import CommandLine
from tests.mcp.honest import add_all, make_server
from tests.mcp.making import HERE, on_the_web
from tests.support.platform import Platform, running_platform, skill, temporal_server
from tests.support.ports import free_port
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the operator's server posts."""
    return tmp_path_factory.mktemp("posts")


@pytest.fixture(scope="module")
async def _running(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Platform]:
    """A platform whose operator offers a program, and one that is for another tenant.

    With a Temporal server of its own, so that no worker without these servers takes its runs.
    """
    file = folder / "mcp.json"
    honest = {"command": sys.executable, "args": [str(HERE / "honest.py"), str(folder)]}
    servers = {
        "honest": honest | {"trust": "annotations"},
        "theirs": honest | {"tenants": ["tn_other"]},
        "messy": {"command": sys.executable, "args": ["-S", str(HERE / "rogue.py"), "broken"]},
        "unset": honest | {"env": {"TOKEN": "${OMNIFORGE_TEST_NOT_SET}"}},
    }
    file.write_text(json.dumps({"mcpServers": servers}))
    home = tmp_path_factory.mktemp("mcp")
    async with (
        temporal_server() as temporal,
        running_platform(home, temporal, mcp_servers=file, mcp_timeout_s=20) as platform,
    ):
        yield platform


@pytest.fixture
def platform(_running: Platform, folder: Path) -> Platform:
    _running.model.forget()
    (folder / "posts").unlink(missing_ok=True)
    return _running


@pytest.fixture
def cli(platform: Platform, folder: Path) -> CommandLine:
    key = platform.api.headers["Authorization"].removeprefix("Bearer ")
    return CommandLine(
        {
            "OMNIFORGE_API_URL": str(platform.api.base_url),
            "OMNIFORGE_API_KEY": key,
            "OMNIFORGE_MCP_SERVERS": str(folder / "mcp.json"),
            "OMNIFORGE_HTTP_ALLOW_PRIVATE": '["127.0.0.1"]',
        }
    )


def steps_named(steps: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [step for step in steps if step["name"] == name]


async def listed(platform: Platform) -> dict[str, dict[str, Any]]:
    servers = (await platform.api.get("/api/v1/mcp-servers")).json()["mcp_servers"]
    return {one["name"]: one for one in servers}


@requirement("TOOL-2")
async def test_a_run_uses_a_program_of_the_operator(platform: Platform) -> None:
    body = (
        '1. Add: `mcp__honest__add {"a": 2, "b": 3}`\n'
        "2. Look: `mcp__honest__picture {}`\n"
        '3. Answer: `{"sum": "${steps.1.result}", "files": "${steps.2.files}"}`'
    )
    agent = await platform.agent(skill("sums", body), mcp_servers=["honest"])
    execution = await platform.start(agent)
    run = await platform.ended(execution)
    steps = await platform.steps(execution)
    files = (await platform.api.get(f"/api/v1/executions/{execution}/artifacts")).json()

    assert run["status"] == "completed", run["error"]
    assert run["result"]["sum"] == 5
    assert [one["path"] for one in files["artifacts"]] == sorted(run["result"]["files"])
    offered = [tool["name"] for tool in steps[0]["answer"]["tools"]]
    assert "mcp__honest__add" in offered
    assert steps_named(steps, "mcp__honest__add")[0]["effect_class"] is None


@requirement("TOOL-2")
async def test_a_call_in_which_the_server_dies_is_a_persons_to_judge(
    platform: Platform, folder: Path
) -> None:
    platform.model.decides(
        lambda request: (
            calling(("mcp__honest__die", {"text": "once"}))
            if len(request.messages) == 1
            else answer('{"done": true}')
        )
    )
    agent = await platform.agent(skill("poster"), mcp_servers=["honest"])
    execution = await platform.start(agent)
    waiting = await platform.until(execution, {"waiting"})
    (question,) = [
        one
        for one in (await platform.api.get("/api/v1/approvals")).json()["approvals"]
        if one["execution_id"] == execution
    ]
    decision = {"decision": "happened", "reason": "it is there"}
    await platform.api.post(f"/api/v1/approvals/{question['id']}", json=decision)
    run = await platform.ended(execution)

    assert waiting["waiting_for"] == "effect"
    assert "mcp__honest__die" in question["question"]
    assert run["status"] == "completed"
    assert (folder / "posts").read_text().split() == ["once"]


@requirement("TOOL-2")
async def test_a_workspace_sets_up_uses_and_removes_a_server(
    platform: Platform, tmp_path: Path
) -> None:
    body = '1. Add: `mcp__mine__add {"a": 1, "b": 1}`\n2. Answer: `{"sum": "${steps.1.result}"}`'
    async with on_the_web(make_server(tmp_path)) as url:
        added = await platform.api.post("/api/v1/mcp-servers", json={"name": "mine", "url": url})
        again = await platform.api.post("/api/v1/mcp-servers", json={"name": "mine", "url": url})
        known = await listed(platform)
        agent = await platform.agent(skill("sums", body), mcp_servers=["mine"])
        used = await platform.ended(await platform.start(agent))
        removed = await platform.api.delete("/api/v1/mcp-servers/mine")
        failed = await platform.ended(await platform.start(agent))
        missing = await platform.api.get("/api/v1/mcp-servers/mine")

    assert (added.status_code, removed.status_code, missing.status_code) == (201, 204, 404)
    assert (again.status_code, again.json()["code"]) == (409, "mcp_server_exists")
    assert (known["mine"]["source"], known["honest"]["source"]) == ("workspace", "operator")
    assert known["honest"]["url"] is None
    assert used["result"] == {"sum": 2}
    assert (failed["status"], failed["error_code"]) == ("failed", "mcp_server_unavailable")
    assert "'mine', which has been removed" in failed["error"]


@requirement("TOOL-2")
async def test_a_tool_that_changed_while_a_run_waited_is_told_and_then_used_as_it_is(
    platform: Platform, tmp_path: Path
) -> None:
    """The second segment finds another server at the address than the first one was told of."""
    turns = [
        calling(("mcp__moving__add", {"a": 1, "b": 1})),
        calling(("ask_user", {"question": "Go on?"})),
        calling(("mcp__moving__add", {"a": 1, "b": 1})),
        calling(("mcp__moving__add", {"numbers": [1, 2, 3]})),
        answer('{"done": true}'),
    ]
    platform.model.decides(lambda request: turns[len(request.messages) // 2])
    other, port = MCPServer("other"), free_port()
    other.add_tool(add_all, name="add")
    async with on_the_web(make_server(tmp_path), port=port) as url:
        await platform.api.post("/api/v1/mcp-servers", json={"name": "moving", "url": url})
        agent = await platform.agent(skill("sums"), mcp_servers=["moving"])
        execution = await platform.start(agent)
        await platform.until(execution, {"waiting"})
    async with on_the_web(other, port=port):
        await platform.api.post(f"/api/v1/executions/{execution}/answer", json={"answer": "Yes."})
        run = await platform.ended(execution)
    before, told, after = steps_named(await platform.steps(execution), "mcp__moving__add")
    events = [one["body"] for one in await platform.events(execution)]
    (seen,) = [one for one in events if one["type"] == "tool_answered" and not one["success"]]

    assert run["status"] == "completed", run["error"]
    assert before["answer"] == after["answer"] | {"result": 2}
    assert told["error"]["code"] == "tool_changed"
    assert '"numbers"' in told["error"]["message"]
    assert after["answer"] == {"result": 6}
    assert "has changed since this skill began" in seen["summary"]


async def test_an_agent_cannot_name_a_server_that_is_not_there(platform: Platform) -> None:
    refused = {}
    for name in ("nobodys", "theirs"):
        body = {"name": "a", "skills": [skill("one")], "mcp_servers": [name]}
        response = await platform.api.post("/api/v1/agents", json=body)
        refused[name] = (response.status_code, response.json()["code"])
    agent = await platform.agent(skill("one"))
    patched = await platform.api.patch(f"/api/v1/agents/{agent}", json={"mcp_servers": ["theirs"]})
    allowed = await platform.api.patch(f"/api/v1/agents/{agent}", json={"mcp_servers": ["honest"]})

    assert refused == dict.fromkeys(("nobodys", "theirs"), (400, "agent_invalid"))
    assert patched.status_code == 400
    assert (allowed.json()["mcp_servers"], allowed.json()["version"]) == (["honest"], 2)


async def test_tools_that_cannot_be_offered_are_told_to_those_who_watch(platform: Platform) -> None:
    agent = await platform.agent(skill("one"), mcp_servers=["messy"])
    execution = await platform.start(agent)
    run = await platform.ended(execution)
    told = [one["body"] for one in await platform.events(execution)]
    (left_out,) = [body["problems"] for body in told if body["type"] == "tools_left_out"]

    assert run["status"] == "completed"
    assert "'broken'" in left_out[0]
    assert "'large'" in left_out[1]


@requirement("SDK-3", "TOOL-2")
async def test_the_command_line_adds_tries_lists_and_removes_servers(
    cli: CommandLine, tmp_path: Path
) -> None:
    async with on_the_web(make_server(tmp_path)) as url:
        added = await cli("mcp", "add", "cli-one", url, "--header", "X-Team=sales")
        tried = await cli("mcp", "test", "cli-one")
        as_json = await cli("mcp", "test", "honest", "--json")
    listed = await cli("mcp", "list")
    removed = await cli("mcp", "remove", "cli-one")
    again = await cli("mcp", "remove", "cli-one")
    down = await cli("mcp", "test", "unset")
    secret = await cli("mcp", "add", "x", url, "--header", "Authorization=Bearer abc")

    assert (added.status, tried.status, removed.status, again.status) == (0, 0, 0, 1)
    assert ["mcp__cli-one__add", "False", "Add two numbers."] in tried.lines
    assert "offers 9 tools" in tried.err
    assert "mcp__honest__add" in [tool["name"] for tool in as_json.document["tools"]]
    assert ["cli-one", "workspace", "http", "none", url] in listed.lines
    assert "OMNIFORGE_TEST_NOT_SET" in down.err
    assert "looks like a credential" in secret.err


@requirement("OPS-3", "TOOL-2")
async def test_the_doctor_tries_the_operators_servers(cli: CommandLine) -> None:
    said = await cli("doctor", "--json")
    checks = {check["name"]: check for check in said.document["checks"]}

    assert "9 tools after" in checks["MCP:honest"]["found"]
    assert checks["MCP:messy"]["state"] == "warn"
    assert checks["MCP:unset"]["state"] == "fail"
    assert "OMNIFORGE_TEST_NOT_SET" in checks["MCP:unset"]["found"]


async def test_a_server_whose_secret_is_not_set_says_which(platform: Platform) -> None:
    run = await platform.run(skill("one"), mcp_servers=["unset"])

    assert run["error_code"] == "mcp_server_unavailable"
    assert "OMNIFORGE_TEST_NOT_SET" in run["error"]


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"name": "x", "url": "http://169.254.169.254/mcp"}, "private"),
        ({"name": "x", "url": "file:///etc/passwd"}, "http"),
        ({"name": "x", "url": "http://127.0.0.1/mcp", "headers": {"X-Api-Key": "k"}}, "credential"),
    ],
)
async def test_a_workspace_cannot_point_inwards_or_hand_in_secrets(
    platform: Platform, server: dict[str, Any], said: str
) -> None:
    response = await platform.api.post("/api/v1/mcp-servers", json=server)

    assert (response.status_code, response.json()["code"]) == (400, "mcp_server_invalid")
    assert said in response.json()["detail"]


async def test_the_operators_names_are_taken_and_not_removed(platform: Platform) -> None:
    body = {"name": "honest", "url": "http://127.0.0.1:1/mcp"}
    taken = await platform.api.post("/api/v1/mcp-servers", json=body)
    removed = await platform.api.delete("/api/v1/mcp-servers/honest")

    assert taken.status_code == 409
    assert removed.status_code == 404
    assert "theirs" not in await listed(platform)
