"""`python -m tests.connections.faults --refreshes 2000 --kills 10`: refresh while everything goes wrong.

The product's worker, as a process, refreshes connections at a strict service that rotates its tokens. The
service answers late, half, wrongly or not at all, and the worker is killed in mid-refresh. What must
never happen is counted by the service: a token shown twice outside of its grace, and a connection that
its owner would have to make again.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client

from omniforge import clock
from omniforge.errors import TokenUnknown
from omniforge.identity import new_id
from omniforge.integrations.oauth.connection import Connection, ConnectionStatus, SealedTokens
from omniforge.keys import KeyRing, new_key
from omniforge.store import bootstrap
from omniforge.store.connections import StoredConnections
from omniforge.store.store import open_store
from omniforge.vault import LocalKeys, Vault
from tests.store.making import Tenant
from tests.support.asgi import Receive, Send
from tests.support.oauth_server import CLIENT, Family, Fault, OAuthServer
from tests.support.platform import temporal_server, with_keys
from worker.tokens import Freshener

FAULTS: tuple[Fault, ...] = ("cut before", "cut after", "500 before", "500 after", "429", "html")
FAULT_RATE = 0.25
LATE_RATE = 0.004
# The product gives an answer 15 seconds.
LATE_SECONDS = 17.0
AT_ONCE = 40


class FaultyLinear(OAuthServer):
    """Linear's way with tokens: rotated, and for half an hour the last one gives the same again."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(grace_s=1_800)
        self._chance = chance
        self.went_wrong: Counter[str] = Counter()
        self.kill_next = asyncio.Event()
        self.killed = asyncio.Event()

    def begin(self, account: str) -> dict[str, Any]:
        family = Family(account, "read,write")
        self.families.append(family)
        return self._pair(family)

    async def _app(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._chance.random() < FAULT_RATE:
            fault = self._chance.choice(FAULTS)
            self.went_wrong[fault] += 1
            self.faults.append(fault)
        is_late = self._chance.random() < LATE_RATE
        self.went_wrong["late"] += is_late
        is_last = self.kill_next.is_set()

        async def answer(message: Any) -> None:
            if is_late:
                await asyncio.sleep(LATE_SECONDS)
            if is_last:  # the token is taken; whoever asked dies before it hears of the next one
                self.kill_next.clear()
                self.killed.set()
                await asyncio.sleep(1)
            await send(message)

        await super()._app({**scope, "path": "/token"}, receive, answer)


@dataclass
class Stage:
    """A database with connections, a service, and workers that come and go."""

    home: Path
    address: str
    client: Client
    server: FaultyLinear
    key: str = field(default_factory=new_key)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.home / 'omniforge.db'}"

    async def worker(self) -> asyncio.subprocess.Process:
        client_id, secret = CLIENT
        variables = {
            "OMNIFORGE_HOME": str(self.home),
            "OMNIFORGE_DATABASE_URL": self.database,
            "OMNIFORGE_CREDENTIAL_KEYS": f'["{self.key}"]',
            "OMNIFORGE_LLM_PROVIDER": "offline",
            "OMNIFORGE_LINEAR_CLIENT_ID": client_id,
            "OMNIFORGE_LINEAR_CLIENT_SECRET": secret,
            "OMNIFORGE_LINEAR_BASE_URL": self.server.url,
            "OMNIFORGE_LOG_FILE": str(self.home / "worker.log"),
            "TEMPORAL_ADDRESS": self.address,
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker"),
            env={**os.environ, **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def connections(self, kept: StoredConnections, tenant: Tenant) -> list[Connection]:
        vault, made = Vault(LocalKeys(KeyRing.of([self.key]))), []
        for number in range(AT_ONCE):
            pair, at = self.server.begin(f"account-{number}"), clock.now()
            one = Connection(
                id=new_id("cn"),
                tenant_id=tenant.id,
                user_id=tenant.owner.user_id,
                integration_id="linear",
                account_id=f"account-{number}",
                is_refreshed=True,
                created_at=at,
                updated_at=at,
            )
            access = await vault.seal(pair["access_token"], one.place("access_token_encrypted"))
            refresh = await vault.seal(pair["refresh_token"], one.place("refresh_token_encrypted"))
            await kept.save(one, SealedTokens(access, refresh, "Bearer", None, ()))
            made.append(one)
        return made


@dataclass
class Verdict:
    refreshes: int
    kills: int
    dead: int
    used_twice: int
    went_wrong: Mapping[str, int]

    @property
    def is_good(self) -> bool:
        return self.dead == 0 and self.used_twice == 0


async def refresh_all(refreshes: int, kills: int, seed: int = 1) -> Verdict:
    """Refresh until each connection has had its share, killing workers on the way."""
    with tempfile.TemporaryDirectory() as folder:
        server = FaultyLinear(random.Random(seed))  # noqa: S311 - which faults, not which keys
        async with temporal_server() as temporal, server:
            address = temporal.client.service_client.config.target_host
            stage = Stage(Path(folder), address, temporal.client, server)
            await bootstrap.prepare(stage.database)
            store = open_store(stage.database, stage.home / "storage")
            kept, tenant = StoredConnections(store), await Tenant.new(store)
            wanted = await stage.connections(kept, tenant)
            client = with_keys(stage.client, KeyRing.of([stage.key]))
            reaper = asyncio.create_task(_keep_killing(stage, kills))
            freshener, share = Freshener(client), -(-refreshes // AT_ONCE)
            try:
                await asyncio.gather(*(_until(kept, freshener, one, share) for one in wanted))
            finally:
                reaper.cancel()
                await asyncio.gather(reaper, return_exceptions=True)
            ends = [(await kept.get(tenant.id, one.id))[0] for one in wanted]
            await store.close()
    return Verdict(
        sum(one.version - 1 for one in ends),
        server.went_wrong["killed"],
        sum(one.status is not ConnectionStatus.ACTIVE for one in ends)
        + sum(family.is_dead for family in server.families),
        server.seen["refresh token used twice"],
        server.went_wrong,
    )


async def _until(
    kept: StoredConnections, freshener: Freshener, connection: Connection, refreshes: int
) -> None:
    while connection.version <= refreshes and connection.status is ConnectionStatus.ACTIVE:
        try:
            await freshener(connection, False)
        except TokenUnknown:
            await asyncio.sleep(0.2)
        connection, _ = await kept.get(connection.tenant_id, connection.id)


async def _keep_killing(stage: Stage, kills: int) -> None:
    """Keep one worker at work; so many of them die between a token's taking and its storing."""
    worker = await stage.worker()
    try:
        for _ in range(kills):
            await asyncio.sleep(4)
            stage.server.kill_next.set()
            await stage.server.killed.wait()
            worker.kill()
            await worker.wait()
            stage.server.went_wrong["killed"] += 1
            stage.server.killed.clear()
            worker = await stage.worker()
        await worker.wait()
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.connections.faults")
    parser.add_argument("--refreshes", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = clock.now()
    verdict = asyncio.run(refresh_all(given.refreshes, given.kills, given.seed))
    seconds = (clock.now() - began).total_seconds()
    wrong = ", ".join(f"{name} {count}" for name, count in sorted(verdict.went_wrong.items()))
    sys.stdout.write(
        f"{verdict.refreshes} refreshes in {seconds:.0f} s; went wrong: {wrong}\n"
        f"dead connections: {verdict.dead}; tokens used twice: {verdict.used_twice}\n"
    )
    sys.stdout.flush()
    return 0 if verdict.is_good and verdict.refreshes >= given.refreshes else 1


if __name__ == "__main__":
    os._exit(main())  # the Temporal SDK can crash while the interpreter ends
