"""Connections, integrations and their apps over HTTP."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from api.schemas.agents import Text
from omniforge.client import connections as models
from omniforge.integrations.apps import OwnApp
from omniforge.integrations.oauth.connection import Connection
from omniforge.integrations.operations import Integration

IntegrationId = Annotated[Text, Field(min_length=1, max_length=64)]
ConnectionId = Annotated[Text, Field(min_length=1, max_length=64)]


def _sendable(secret: SecretStr) -> SecretStr:
    """What goes into a header has no spaces or line ends. The refusal does not repeat it."""
    if not all("!" <= char <= "~" for char in secret.get_secret_value()):
        raise ValueError("a secret consists of visible ASCII characters, without spaces")
    return secret


Secret = Annotated[SecretStr, Field(min_length=1, max_length=4_096), AfterValidator(_sendable)]


class InitBody(BaseModel, extra="forbid"):
    """What to connect; with `connection_id`, that connection anew. `session_id` is the caller's own note."""

    integration_id: IntegrationId
    connection_id: ConnectionId | None = None
    session_id: Annotated[Text, Field(max_length=64)] = ""


class LinkBody(BaseModel, extra="forbid"):
    integration_id: IntegrationId
    connection_id: ConnectionId | None = None


class Begun(BaseModel):
    """Where to send the browser that this answer's cookie is in. Another one cannot bring it back."""

    authorize_url: str
    state: str


class LinkMade(models.ConnectLink):
    """A link that can be used once, in any browser."""


class BroughtToken(BaseModel, extra="forbid"):
    """A token that the service gave out itself: a personal one, a bot's, an internal integration's."""

    integration_id: IntegrationId
    token: Secret


class ConnectionBody(models.Connection):
    """A connection as it can be shown."""

    @classmethod
    def of(cls, connection: Connection) -> "ConnectionBody":
        return cls.model_validate(connection.model_dump(include=set(cls.model_fields)))


class ConnectionList(BaseModel):
    connections: list[ConnectionBody]
    next_cursor: str | None


class IntegrationBody(models.IntegrationInfo):
    """A service that can be connected, and what skills can do there."""

    @classmethod
    def of(cls, one: Integration[object], app: str | None) -> "IntegrationBody":
        specs = [operation.spec for operation in one.operations]
        tools = [
            {"name": spec.name, "description": spec.description, "effect": spec.effect}
            for spec in specs
        ]
        return cls.model_validate(
            {
                "id": one.name,
                "title": one.service.title,
                "app": app,
                "takes_tokens": one.account is not None,
                "tools": tools,
            }
        )


class IntegrationList(BaseModel):
    integrations: list[IntegrationBody]
    next_cursor: str | None = None


class AppSecret(BaseModel, extra="forbid"):
    """A workspace's own app at a service, as its owner registered it there."""

    client_id: Annotated[Text, Field(min_length=1, max_length=255)]
    client_secret: Secret


class AppBody(models.OAuthApp):
    """An app as it can be shown."""

    @classmethod
    def of(cls, app: OwnApp) -> "AppBody":
        return cls(
            integration_id=app.integration_id,
            client_id=app.client_id,
            created_by=app.created_by,
            created_at=app.created_at,
        )


class AppList(BaseModel):
    apps: list[AppBody]
    next_cursor: str | None = None
