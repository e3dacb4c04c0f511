"""`omniforge connections apps`, `set-app`, `remove-app`: a workspace's own apps at services."""

from typing import Annotated

import typer

from omniforge.cli.connections.accounts import Service, secret_from
from omniforge.cli.session import Session, on_platform


@on_platform
async def apps(session: Session) -> None:
    """The workspace's own apps. Without one, people connect through the platform's."""
    found = await session.client.connections.apps()
    if session.out.as_json:
        session.out.document({"apps": found})
        return
    session.out.table(
        ("SERVICE", "CLIENT ID", "SET BY", "SET AT"),
        [(one.integration_id, one.client_id, one.created_by, one.created_at) for one in found],
    )


@on_platform
async def set_app(
    session: Session,
    service: Service,
    client_id: Annotated[str, typer.Argument(help="As the service shows it.")],
) -> None:
    """Connect through an app of the workspace's own. Its secret is asked for, or read from stdin."""
    secret = secret_from(session, "Client secret")
    made = await session.client.connections.set_app(service, client_id, secret)
    session.out.note(f"{made.integration_id} is connected through {made.client_id} from now on.")


@on_platform
async def remove_app(session: Session, service: Service) -> None:
    """Connect through the platform's app again."""
    await session.client.connections.remove_app(service)
    session.out.note(f"Removed the app for {service}.")
