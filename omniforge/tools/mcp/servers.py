"""Which MCP servers there are: the operator's file, and the rows of a tenant."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from omniforge.agents.config import McpServerName
from omniforge.errors import McpServerInvalid

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Trust(StrEnum):
    """Whose word is taken for it that a tool only reads: nobody's, the server's own, or ours for all."""

    NONE = "none"
    ANNOTATIONS = "annotations"
    READ_ONLY = "read-only"


class _Server(BaseModel, frozen=True, extra="forbid", populate_by_name=True):
    trust: Trust = Trust.NONE
    read_only: tuple[str, ...] = Field(default=(), alias="readOnly")
    """Tools that only read, by the names the server gives them."""
    tenants: tuple[str, ...] | None = None

    def reads_only(self, tool: str, hint: bool) -> bool:
        """Whether a tool changes nothing outside. `hint` is what the server itself says."""
        return (
            self.trust is Trust.READ_ONLY
            or tool in self.read_only
            or (self.trust is Trust.ANNOTATIONS and hint)
        )


class ProcessServer(_Server, frozen=True):
    """A program that the worker starts. Code of the operator's choice, so only the file can name one."""

    type: Literal["stdio"] = "stdio"
    command: str = Field(min_length=1)
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}


class WebServer(_Server, frozen=True):
    """A server behind a URL. `is_operators`: its address is the operator's choice and may be private."""

    type: Literal["http", "streamable-http"] = "http"
    url: str = Field(min_length=1, max_length=2_048)
    headers: dict[str, str] = {}
    is_operators: bool = Field(default=False, exclude=True)


Server = ProcessServer | WebServer


def fingerprint(server: Server) -> str:
    """Differs when anything that a connection rests on does."""
    told = server.model_dump(mode="json") | {"operators": getattr(server, "is_operators", True)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class OperatorServers:
    """The servers of the operator's file, with `${NAME}` as yet unfilled."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self._servers = dict(servers)

    def of_tenant(self, tenant_id: str) -> list[tuple[str, Server]]:
        """The servers that a tenant may use, by name."""
        return [(name, server) for name, server in self.every() if _is_for(server, tenant_id)]

    def get(self, name: str, tenant_id: str) -> Server | None:
        server = self._servers.get(name)
        return server if server is not None and _is_for(server, tenant_id) else None

    def every(self) -> Iterator[tuple[str, Server]]:
        yield from self._servers.items()


def read_servers(file: Path | None) -> OperatorServers:
    """The operator's file, in the form that MCP clients share: `{"mcpServers": {name: {...}}}`.

    Raises:
        McpServerInvalid: It cannot be read, or an entry is wrong; the message names entry and field.
    """
    if file is None:
        return OperatorServers({})
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        entries = dict(content["mcpServers"])
    except OSError as error:
        raise McpServerInvalid(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise McpServerInvalid(
            f'{file} is not a file of MCP servers; it holds JSON like {{"mcpServers": {{}}}}.'
        ) from error
    return OperatorServers({name: _entry(file, name, entry) for name, entry in entries.items()})


def filled(server: Server, environment: Mapping[str, str]) -> Server:
    """A server with each `${NAME}` in its values replaced from the environment.

    Raises:
        McpServerInvalid: A variable is not set.
    """

    def fill(text: str) -> str:
        return _VARIABLE.sub(lambda found: _value(found[1], environment), text)

    if isinstance(server, ProcessServer):
        return server.model_copy(
            update={
                "command": fill(server.command),
                "args": tuple(map(fill, server.args)),
                "env": {name: fill(value) for name, value in server.env.items()},
            }
        )
    headers = {name: fill(value) for name, value in server.headers.items()}
    return server.model_copy(update={"url": fill(server.url), "headers": headers})


def _value(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise McpServerInvalid(f"it needs the environment variable {name}, which is not set")
    return environment[name]


def _is_for(server: Server, tenant_id: str) -> bool:
    return server.tenants is None or tenant_id in server.tenants


class _Named(BaseModel):
    name: McpServerName


def _entry(file: Path, name: str, entry: object) -> Server:
    is_process = isinstance(entry, Mapping) and "command" in entry
    kind = ProcessServer if is_process else WebServer
    try:
        _Named(name=name)
        server = kind.model_validate(entry)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        raise McpServerInvalid(f"{file}, server {name!r}, {field}: {problem['msg']}.") from error
    return server.model_copy(update={"is_operators": True}) if not is_process else server
