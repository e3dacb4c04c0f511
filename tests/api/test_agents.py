"""Agents over HTTP: what is accepted, what is refused and how, what is kept."""

import base64
import io
import json
import zipfile
from typing import Any

import httpx2
import pytest

from omniforge.store.access import create_key, create_tenant
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement

SKILL_MD = "---\nname: {name}\ndescription: Does it. Use when testing.\n---\n\n1. Answer: done\n"


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return buffer.getvalue()


async def test_an_agent_is_created_listed_read_changed_and_archived(platform: Platform) -> None:
    agent = await platform.agent(skill("one"), description="first")
    path = f"/api/v1/agents/{agent}"

    listed = (await platform.api.get("/api/v1/agents?limit=200")).json()["agents"]
    changed = (await platform.api.patch(path, json={"description": "second"})).json()
    paused = (await platform.api.post(f"{path}/pause")).json()
    refused = await platform.api.post(f"{path}/run", json={})
    archived = (await platform.api.post(f"{path}/archive")).json()
    after = (await platform.api.get("/api/v1/agents?limit=200")).json()["agents"]
    revived = await platform.api.post(f"{path}/activate")

    assert agent in [one["id"] for one in listed]
    assert (changed["description"], changed["version"]) == ("second", 1)
    assert paused["status"] == "paused"
    assert (refused.status_code, refused.json()["code"]) == (409, "agent_not_active")
    assert archived["status"] == "archived"
    assert agent not in [one["id"] for one in after]
    assert (revived.status_code, revived.json()["code"]) == (409, "agent_archived")


async def test_a_zip_of_skill_folders_makes_an_agent(platform: Platform) -> None:
    archive = zipped({f"skills/{n}/SKILL.md": SKILL_MD.format(name=n) for n in ("a-one", "b-two")})

    created = await platform.api.post(
        "/api/v1/agents",
        data={"agent": json.dumps({"name": "zipped", "status": "active"})},
        files={"archive": ("skills.zip", archive, "application/zip")},
    )
    run = await platform.ended(await platform.start(created.json()["id"]))

    assert [one["id"] for one in created.json()["skills"]] == ["a-one", "b-two"]
    assert run["status"] == "completed"


async def test_a_folder_of_files_makes_an_agent(platform: Platform) -> None:
    parts = [
        ("files", ("one/SKILL.md", SKILL_MD.format(name="one"))),
        ("files", ("one/notes/a.txt", "x")),
    ]

    created = await platform.api.post(
        "/api/v1/agents", data={"agent": json.dumps({"name": "folder"})}, files=parts
    )

    assert created.status_code == 201, created.text
    assert created.json()["status"] == "draft"


async def test_binary_files_travel_as_base64(platform: Platform) -> None:
    body = skill("one")
    body["files"]["assets/pixel.bin"] = {"base64": base64.b64encode(bytes(range(256))).decode()}

    run = await platform.run(body)

    assert run["status"] == "completed"


@requirement("SKL-1", "FR-6")
@pytest.mark.parametrize("field", ["schedule", "trigger", "created-by", "source", "author"])
async def test_what_belongs_in_the_database_is_refused_in_a_skill(
    platform: Platform, field: str
) -> None:
    body = skill("one")
    body["files"]["SKILL.md"] = body["files"]["SKILL.md"].replace("---\n\n", f"{field}: x\n---\n\n")

    refused = await platform.api.post("/api/v1/agents", json={"name": "bad", "skills": [body]})

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (400, "skill_invalid")
    assert problem["findings"][0]["line"] == 4
    assert field in problem["findings"][0]["message"]


BAD_AGENTS: list[tuple[dict[str, Any], int, str]] = [
    ({"name": "x", "skills": []}, 400, "plan_invalid"),
    ({"name": "x", "skills": [skill("a"), skill("a")]}, 400, "plan_invalid"),
    ({"name": "x", "skills": [skill("a", depends_on=["b"])]}, 400, "plan_invalid"),
    ({"name": "x", "skills": [{"name": "nowhere-to-be-found"}]}, 404, "skill_not_found"),
    ({"name": "", "skills": [skill("a")]}, 422, "malformed_request"),
    ({"name": "nul \0", "skills": [skill("a")]}, 422, "malformed_request"),
    ({"name": "x", "skills": [skill("a")], "surprise": 1}, 422, "malformed_request"),
    ({"name": "x", "skills": [skill("a")], "limits": {"budget_usd": -1}}, 422, "malformed_request"),
    ({"name": "x", "skills": [{"name": "Not A Name"}]}, 422, "malformed_request"),
    (
        {"name": "x", "skills": [{"name": "a", "files": {"SKILL.md": "no frontmatter"}}]},
        400,
        "skill_invalid",
    ),
    ({"name": "x", "skills": [{"name": "a", "files": {"../SKILL.md": "x"}}]}, 400, "skill_invalid"),
    (
        {"name": "x", "skills": [{"name": "a", "files": {"SKILL.md": {"base64": "!"}}}]},
        400,
        "skill_invalid",
    ),
    ({"name": "x", "skills": [skill("a")], "trigger_type": "scheduled"}, 422, "malformed_request"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_AGENTS)
async def test_a_bad_agent_is_refused_with_a_code(
    platform: Platform, body: dict[str, Any], status: int, code: str
) -> None:
    refused = await platform.api.post("/api/v1/agents", json=body)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"]


BAD_ARCHIVES = {
    "not a zip": b"hello",
    "path traversal": zipped({"../evil/SKILL.md": SKILL_MD.format(name="evil")}),
    "a bomb": zipped({"one/SKILL.md": SKILL_MD.format(name="one"), "one/zeros": "0" * 40_000_000}),
}


@pytest.mark.parametrize("name", BAD_ARCHIVES)
async def test_a_bad_archive_is_refused_and_the_api_lives(platform: Platform, name: str) -> None:
    refused = await platform.api.post(
        "/api/v1/agents",
        data={"agent": json.dumps({"name": "x"})},
        files={"archive": ("skills.zip", BAD_ARCHIVES[name], "application/zip")},
    )

    assert (refused.status_code, refused.json()["code"]) == (400, "archive_rejected")
    assert (await platform.api.get("/healthz")).status_code == 200


async def test_bodies_that_are_not_json_or_too_large_are_refused(platform: Platform) -> None:
    broken = await platform.api.post(
        "/api/v1/agents", content=b"{", headers={"content-type": "application/json"}
    )
    deep = await platform.api.post("/api/v1/agents", content=b"[" * 200_000)
    large = await platform.api.post("/api/v1/agents", content=b" " * (5 * 1024 * 1024))

    assert (broken.status_code, broken.json()["code"]) == (400, "agent_invalid")
    assert (deep.status_code, deep.json()["code"]) == (400, "agent_invalid")
    assert (large.status_code, large.json()["code"]) == (413, "upload_too_large")


@requirement("SEC-3")
async def test_a_foreign_agent_is_as_missing_as_one_that_never_was(platform: Platform) -> None:
    theirs = await platform.agent(skill("one"))
    stranger = await platform.store.database.write(lambda c: create_tenant(c, "Other", "Someone"))
    key = await platform.store.database.write(lambda c: create_key(c, stranger, "test"))
    other = httpx2.AsyncClient(
        base_url=platform.api.base_url, headers={"Authorization": f"Bearer {key}"}
    )
    execution = (await platform.ended(await platform.start(theirs)))["id"]

    async with other:
        answers = [
            (await other.get(f"/api/v1/agents/{theirs}"), f"/api/v1/agents/{theirs}"),
            (await other.post(f"/api/v1/agents/{theirs}/run", json={}), "run"),
            (await other.patch(f"/api/v1/agents/{theirs}", json={"name": "mine now"}), "patch"),
            (await other.get(f"/api/v1/executions/{execution}"), "execution"),
            (await other.get(f"/api/v1/executions/{execution}/steps"), "steps"),
            (await other.get(f"/api/v1/executions/{execution}/artifacts"), "artifacts"),
            (await other.post(f"/api/v1/executions/{execution}/cancel"), "cancel"),
        ]
        listed = (await other.get("/api/v1/agents")).json()

    assert {answer.status_code for answer, _ in answers} == {404}
    assert listed == {"agents": [], "next_cursor": None}


@pytest.mark.parametrize("header", [None, "Bearer of_sk_wrong", "Basic abc", "Bearer x"])
async def test_a_wrong_key_is_refused(platform: Platform, header: str | None) -> None:
    async with httpx2.AsyncClient(base_url=platform.api.base_url) as nobody:
        refused = await nobody.get(
            "/api/v1/agents", headers={"Authorization": header} if header else {}
        )

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


async def test_lists_are_paged_newest_first(platform: Platform) -> None:
    made = [await platform.agent(skill("one"), name=f"page {n}") for n in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await platform.api.get("/api/v1/agents", params=query)).json()
        seen += [one["id"] for one in page["agents"]]
        if (cursor := page["next_cursor"]) is None or len(seen) > 400:
            break
    bad = await platform.api.get("/api/v1/agents?cursor=nonsense")

    assert seen[:5] == made[::-1]
    assert len(seen) == len(set(seen))
    assert (bad.status_code, bad.json()["code"]) == (400, "rejected")
