"""Agents as they arrive: one JSON body, or a multipart form with a zip or a folder of skills."""

import json
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.schemas.agents import NewAgent, SkillBody
from omniforge.errors import AgentInvalid
from omniforge.skills.archive import from_json, read_zip

SkillFiles = dict[str, dict[str, bytes]]
"""Skill name -> its folder."""


async def read_new_agent(request: Request) -> tuple[NewAgent, SkillFiles]:
    """The agent in a request and the skill folders that came with it."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form() as form:
            return await _from_form(form)
    body = _validated(await request.body())
    return body, files_of(body.skills)


def files_of(skills: list[SkillBody]) -> SkillFiles:
    """The folders given in a JSON body.

    Raises:
        SkillInvalid: A path is unsafe, or a file is neither text nor base64.
    """
    return {skill.name: from_json(skill.files) for skill in skills if skill.files is not None}


async def _from_form(form: FormData) -> tuple[NewAgent, SkillFiles]:
    described = form.get("agent")
    if not isinstance(described, str):
        raise AgentInvalid("The form needs a field `agent` with the agent as JSON.")
    folders = await _folders(form)
    body = _validated(described.encode())
    if not body.skills:
        in_order = [SkillBody(name=name, order=n) for n, name in enumerate(sorted(folders), 1)]
        body = body.model_copy(update={"skills": in_order})
    unknown = set(folders) - {skill.name for skill in body.skills}
    if unknown:
        raise AgentInvalid(
            f"The upload has skills that the agent does not name: {sorted(unknown)}."
        )
    return body, folders | files_of(body.skills)


async def _folders(form: FormData) -> SkillFiles:
    folders: SkillFiles = {}
    for upload in form.getlist("archive"):
        folders |= read_zip(await _content(upload))
    for upload in form.getlist("files"):
        content = await _content(upload)
        name, _, path = str(getattr(upload, "filename", "")).strip("/").partition("/")
        if not path:
            raise AgentInvalid("Each of `files` needs a name like `my-skill/SKILL.md`.")
        folders.setdefault(name, {})[path] = content
    # The same checks of paths as for a JSON body.
    for files in folders.values():
        from_json(dict.fromkeys(files, ""))
    return folders


async def _content(upload: object) -> bytes:
    if not isinstance(upload, UploadFile):
        raise AgentInvalid("`archive` and `files` have to be files.")
    return await upload.read()


def _validated(body: bytes) -> NewAgent:
    try:
        return NewAgent.model_validate(_parsed(body))
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        ) from error


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AgentInvalid(f"The agent is not JSON: {error}") from error
