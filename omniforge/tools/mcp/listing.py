"""What a server offers, as skills see it: names that providers take, descriptions and schemas in bounds."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omniforge.errors import ToolInvalid
from omniforge.tools.mcp.schemas import self_contained
from omniforge.tools.schema import ArgumentSchema
from omniforge.tools.wording import shortened

PREFIX = "mcp__"

# What every model provider accepts as the length of a function's name.
_MAX_NAME = 64
_HASH = 8
# Claude Code cuts descriptions here, too; a schema beyond its limit is a document and not a form.
_MAX_DESCRIPTION = 2_000
_MAX_SCHEMA = 20_000
# Raw text that is worth unrolling at all.
_MAX_RAW_SCHEMA = 200_000


@dataclass(frozen=True, slots=True)
class Told:
    """A tool in a server's own words. `only_reads` is its `readOnlyHint`."""

    name: str
    description: str
    schema: Mapping[str, Any]
    only_reads: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as skills see it; `told_as` is what the server calls it."""

    name: str
    told_as: str
    description: str
    parameters: Mapping[str, Any]
    only_reads: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The offers of a server by name, and what was left out and why."""

    offers: Mapping[str, Offer] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def prefix_of(server: str) -> str:
    """What the names of all tools of a server begin with."""
    return f"{PREFIX}{server}__"


def tool_name(server: str, tool: str) -> str:
    """The name a skill calls a server's tool by: the same on every machine, whatever else is listed.

    Where the server's name for it does not fit, a hash of that name tells it from its likes.
    """
    prefix = prefix_of(server)
    plain, room = re.sub(r"[^a-zA-Z0-9_-]", "_", tool), _MAX_NAME - len(prefix)
    if plain == tool and 0 < len(tool) <= room:
        return prefix + tool
    mark = hashlib.sha256(tool.encode("utf-8", "replace")).hexdigest()[:_HASH]
    return f"{prefix}{plain[: room - _HASH - 1]}_{mark}"


def listing_of(server: str, tools: Sequence[Told], problems: Iterable[str] = ()) -> Listing:
    """Everything of a server that can be offered. One bad tool costs no other."""
    offers: dict[str, Offer] = {}
    found = list(problems)
    for tool in tools:
        try:
            offer = _offer(server, tool)
        except ToolInvalid as error:
            found.append(error.message)
            continue
        if offer.name in offers:
            found.append(f"{shortened(tool.name)!r} is listed twice; the first one counts")
            continue
        offers[offer.name] = offer
    return Listing(offers, tuple(found))


def _offer(server: str, tool: Told) -> Offer:
    """
    Raises:
        ToolInvalid: Its schema is none, or too large.
    """
    name, said = tool_name(server, tool.name), shortened(tool.name)
    raw = len(json.dumps(tool.schema))
    if raw > _MAX_RAW_SCHEMA:
        raise ToolInvalid(f"The schema of tool {said!r} has {raw} characters.")
    parameters = self_contained(tool.schema)
    ArgumentSchema(said, parameters)
    if (size := len(json.dumps(parameters))) > _MAX_SCHEMA:
        raise ToolInvalid(
            f"The schema of tool {said!r} has {size} characters, {_MAX_SCHEMA} are allowed."
        )
    description = shortened(tool.description.strip(), _MAX_DESCRIPTION)
    return Offer(name, tool.name, description, parameters, tool.only_reads)
