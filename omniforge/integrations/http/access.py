"""The HTTP of a process toward all connected services."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from omniforge.integrations.http.calls import Call
from omniforge.integrations.http.limits import Pace
from omniforge.integrations.http.service import Service
from omniforge.integrations.http.session import Session
from omniforge.integrations.http.tokens import Token, TokenSource
from omniforge.integrations.http.transport import Transport

# More accounts than a process serves at once; when there are more, those that rest are forgotten.
MAX_PACES = 10_000


@dataclass(frozen=True)
class HttpAccess:
    """Keeps one transport for each service, and the pace of each account that calls it."""

    base_urls: Mapping[str, str] = field(default_factory=dict)
    """Other addresses than the public ones, by the service's name."""
    reads_only: bool = False
    first_pause: float = 0.5
    """Seconds before a call is repeated; doubled after each time."""
    transports: dict[str, Transport] = field(default_factory=dict, repr=False)
    paces: dict[tuple[str, str, str], Pace] = field(default_factory=dict, repr=False)

    def for_rehearsal(self) -> "HttpAccess":
        """The same for a dry run: no call that could change something leaves this machine."""
        return replace(self, reads_only=True)

    def session(
        self, service: Service, tokens: TokenSource, deadline: float, *, reads_only: bool
    ) -> Session:
        """
        Raises:
            ServiceAddressInvalid: The service's address is not one that may be used.
        """
        if service.name not in self.transports:
            base_url = self.base_urls.get(service.name)
            self.transports[service.name] = Transport(service, base_url)

        def pace_of(token: Token, call: Call) -> Pace:
            return self._pace(service, token.connection_id, service.dialect.lane(call))

        transport = self.transports[service.name]
        return Session(
            transport, tokens, pace_of, deadline, reads_only or self.reads_only, self.first_pause
        )

    async def aclose(self) -> None:
        transports = list(self.transports.values())
        self.transports.clear()
        for transport in transports:
            await transport.aclose()

    def _pace(self, service: Service, connection_id: str, lane: str) -> Pace:
        key = (service.name, connection_id, lane)
        if key not in self.paces:
            if len(self.paces) >= MAX_PACES:
                for resting in [each for each, pace in self.paces.items() if pace.is_idle]:
                    del self.paces[resting]
            self.paces[key] = Pace(service.title, service.limits)
        return self.paces[key]
