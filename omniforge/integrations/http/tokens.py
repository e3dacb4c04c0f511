"""Where the token of a connection comes from."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Token:
    """What a service knows an account by."""

    secret: str = field(repr=False)
    connection_id: str
    version: int = 0
    """Which of the connection's tokens it is."""


@dataclass(frozen=True, slots=True)
class Brought:
    """The source of a token that somebody has in hand, and no other one after it."""

    secret: str = field(repr=False)

    async def token(self, refresh_from: str | None = None) -> Token:
        return Token(self.secret, "")


class TokenSource(Protocol):
    """The token of one connection, kept fresh by somebody else."""

    async def token(self, refresh_from: str | None = None) -> Token:
        """A token to use now. Who was refused with one names its secret, and is given a newer one.

        Raises:
            ConnectionBroken: There is none, and no newer one can be had.
        """
        ...
