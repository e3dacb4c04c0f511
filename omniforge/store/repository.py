"""What every repository is: one connection, one tenant."""

from sqlalchemy import Connection


class Repository:
    """Rows of one tenant, inside one transaction. There is no way to ask it for another tenant's."""

    def __init__(self, connection: Connection, tenant_id: str) -> None:
        self._connection, self._tenant_id = connection, tenant_id
