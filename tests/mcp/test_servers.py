"""The operator's file, names of tools, schemas, and what counts as a secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from omniforge.errors import McpServerInvalid
from omniforge.skills.allowed_tools import AllowedTools
from omniforge.tools.mcp.credentials import refuse_credentials
from omniforge.tools.mcp.listing import Told, listing_of, tool_name
from omniforge.tools.mcp.schemas import self_contained
from omniforge.tools.mcp.servers import ProcessServer, WebServer, filled, read_servers
from omniforge.tools.schema import ArgumentSchema


def written(folder: Path, **servers: object) -> Path:
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    return file


def test_the_file_has_the_form_that_mcp_clients_share(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        docs={"command": "uvx", "args": ["mcp-docs"], "env": {"TOKEN": "${DOCS_TOKEN}"}},
        crm={"type": "http", "url": "https://${HOST}/mcp", "headers": {"X-Key": "${KEY}"}},
    )
    servers = dict(read_servers(file).every())

    docs = filled(servers["docs"], {"DOCS_TOKEN": "t0k"})
    crm = filled(servers["crm"], {"HOST": "crm.example", "KEY": "k"})

    assert isinstance(docs, ProcessServer)
    assert isinstance(crm, WebServer)
    assert (docs.command, docs.args, docs.env) == ("uvx", ("mcp-docs",), {"TOKEN": "t0k"})
    assert (crm.url, crm.headers, crm.is_operators) == (
        "https://crm.example/mcp",
        {"X-Key": "k"},
        True,
    )


def test_a_server_can_be_for_some_tenants_only(tmp_path: Path) -> None:
    servers = read_servers(written(tmp_path, mine={"command": "x", "tenants": ["tn_a"]}))

    assert servers.get("mine", "tn_a") is not None
    assert servers.get("mine", "tn_b") is None
    assert servers.of_tenant("tn_b") == []


@pytest.mark.parametrize(
    ("servers", "named"),
    [
        ({"a": {"command": "x", "tenant": ["tn_a"]}}, "tenant"),
        ({"a": {"args": ["x"]}}, "url"),
        ({"a__b": {"command": "x"}}, "a__b"),
        ({"a": "x"}, "'a'"),
        ({"a": {"type": "sse", "url": "https://x"}}, "type"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_name_and_field(
    tmp_path: Path, servers: dict[str, object], named: str
) -> None:
    with pytest.raises(McpServerInvalid, match=named):
        read_servers(written(tmp_path, **servers))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("[]")

    for file in (other, tmp_path / "missing.json"):
        with pytest.raises(McpServerInvalid, match=file.name):
            read_servers(file)


def test_a_variable_that_is_not_set_is_named() -> None:
    server = ProcessServer(command="x", env={"A": "${NOT_THERE}"})

    with pytest.raises(McpServerInvalid, match="NOT_THERE"):
        filled(server, {})


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("search", "mcp__docs__search"),
        ("a.b/c", "mcp__docs__a_b_c_"),
        ("x" * 100, "mcp__docs__xxxxx"),
        ("", "mcp__docs___"),
    ],
)
def test_names_fit_what_providers_take(tool: str, name: str) -> None:
    given = tool_name("docs", tool)

    assert given.startswith(name)
    assert len(given) <= 64
    assert given == tool_name("docs", tool)


def test_names_that_would_be_cut_to_the_same_stay_apart() -> None:
    alike = ["a.b", "a_b", "a/b", "y" * 80, "y" * 81]

    assert len({tool_name("docs", tool) for tool in alike}) == len(alike)


def test_references_are_put_in_place_and_endless_ones_are_cut() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}}
    schema: dict[str, Any] = {
        "type": "object",
        "$defs": {"tree": tree, "name": {"type": "string", "pattern": "(a+)+$"}},
        "properties": {
            "tree": {"$ref": "#/$defs/tree"},
            "name": {"$ref": "#/$defs/name", "description": "whose"},
            "pattern": {"type": "string"},
            "far": {"$ref": "https://example.com/schema.json"},
        },
    }

    made = self_contained(schema)

    assert made["properties"] == {
        "tree": {"type": "object", "properties": {"child": {}}},
        "name": {"type": "string", "description": "whose"},
        "pattern": {"type": "string"},
        "far": {},
    }
    ArgumentSchema("t", made).check({"tree": {"child": {"child": {}}}, "name": "aaaa!"})


def test_a_schema_that_grows_without_end_stays_small() -> None:
    bomb: dict[str, Any] = {"type": "object", "$ref": "#/$defs/d0", "$defs": {}}
    for n in range(40):
        both = {"$ref": f"#/$defs/d{n + 1}"}
        bomb["$defs"][f"d{n}"] = {"allOf": [both, both]}

    assert len(json.dumps(self_contained(bomb))) < 100_000


def test_bad_tools_are_left_out_and_named() -> None:
    listing = listing_of(
        "s",
        [
            Told("good", "", {"type": "object"}),
            Told("broken", "", {"type": "object", "properties": {"a": {"type": "strin"}}}),
            Told("other", "", {"type": "array"}),
            Told("large", "", {"type": "object", "description": "x" * 30_000}),
        ],
    )

    assert list(listing.offers) == ["mcp__s__good"]
    assert [name for name in ("broken", "other", "large") if name in str(listing.problems)] == [
        "broken",
        "other",
        "large",
    ]


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://x.example/mcp", {"Authorization": "Bearer abc"}),
        ("https://x.example/mcp", {"X-Api-Key": "1"}),
        ("https://x.example/mcp", {"X-Auth-Token": "1"}),
        ("https://x.example/mcp", {"Cookie": "a=b"}),
        ("https://x.example/mcp", {"X-Odd": "sk-abcdef"}),
        ("https://x.example/mcp", {"X-Odd": "Basic dTpw"}),
        ("https://x.example/mcp", {"X-Odd": "0123456789abcdef0123456789abcdef"}),
        ("https://x.example/mcp?api_key=1", {}),
        ("https://x.example/s/0123456789abcdef0123456789abcdef/mcp", {}),
    ],
)
def test_what_looks_like_a_secret_is_refused_without_being_repeated(
    url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(McpServerInvalid) as refused:
        refuse_credentials(url, headers)

    assert not any(value in refused.value.message for value in headers.values() if len(value) > 3)
    assert "OMNIFORGE_MCP_SERVERS" in refused.value.message


def test_plain_settings_pass() -> None:
    refuse_credentials(
        "https://x.example/mcp?region=eu", {"X-Workspace": "sales", "Accept-Language": "de"}
    )


@pytest.mark.parametrize(
    ("rules", "permitted", "under"),
    [
        (None, True, True),
        ("mcp__docs", True, True),
        ("mcp__docs__*", True, True),
        ("mcp__*", True, True),
        ("mcp__docs__search", True, True),
        ("mcp__docs__search(x:*)", True, True),
        ("mcp__docs__sea*", True, True),
        ("mcp__docs__other", False, True),
        ("mcp__doc", False, False),
        ("mcp__docs2", False, False),
        ("mcp__docs2__*", False, False),
        ("clock", False, False),
        ("", False, False),
    ],
)
def test_allowed_tools_name_a_server_or_its_tools(
    rules: str | None, permitted: bool, under: bool
) -> None:
    allowed = AllowedTools.parse(rules)

    assert allowed.permits_some("mcp__docs__search") is permitted
    assert allowed.permits_under("mcp__docs__") is under
