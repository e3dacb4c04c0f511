"""Links with which a person begins a consent in a browser that the platform does not know."""

import hashlib
import secrets
from datetime import timedelta

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import Connection, delete, insert, select, update

from omniforge import clock
from omniforge.errors import LinkInvalid
from omniforge.store.repository import Repository
from omniforge.store.tables import oauth_links

# A person opens it at once, and then has as long again for the consent.
LINK_LASTS = timedelta(minutes=10)
# What has ended is of use to nobody; for so long an operator may still look.
KEPT_AFTER_END = timedelta(days=1)


class Link(BaseModel, frozen=True):
    """Who is to be sent where. It can be used once."""

    tenant_id: str
    user_id: str
    integration_id: str
    credential_id: str | None = None
    """The connection to be mended."""
    created_at: AwareDatetime
    expires_at: AwareDatetime


class LinkRepository(Repository):
    def add(self, link: Link) -> str:
        """Keep a link, and no longer those that ended a day ago; its ticket, which is seen this once."""
        ticket = secrets.token_urlsafe(32)
        ended = oauth_links.c.expires_at < link.created_at - KEPT_AFTER_END
        mine = oauth_links.c.tenant_id == self._tenant_id
        self._connection.execute(delete(oauth_links).where(mine, ended))
        row = link.model_dump() | {"id": _hash(ticket), "tenant_id": self._tenant_id}
        self._connection.execute(insert(oauth_links), [row])
        return ticket


def link_of(connection: Connection, ticket: str) -> Link:
    """The link of a ticket, which stays good.

    Raises:
        LinkInvalid: It is unknown, used, or too old.
    """
    query = select(oauth_links).where(
        oauth_links.c.id == _hash(ticket),
        oauth_links.c.used_at.is_(None),
        oauth_links.c.expires_at > clock.now(),
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise LinkInvalid(
            "This link is not known, or it was used, or it is too old. Ask for one anew."
        )
    return Link.model_validate(dict(row))


def take_link(connection: Connection, ticket: str) -> Link:
    """The link of a ticket, which is used up by this.

    Raises:
        LinkInvalid: It is unknown, used, or too old.
    """
    link = link_of(connection, ticket)
    mine = oauth_links.c.id == _hash(ticket), oauth_links.c.used_at.is_(None)
    used = update(oauth_links).where(*mine).values(used_at=clock.now())
    if connection.execute(used).rowcount != 1:
        raise LinkInvalid("This link was used a moment ago. Ask for one anew.")
    return link


def _hash(ticket: str) -> str:
    return hashlib.sha256(f"link {ticket}".encode()).hexdigest()
