"""Tokens of another issuer: which are taken, for whom, and all that is refused."""

import asyncio
import base64
import hmac
import time
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from pydantic import ValidationError

from api.access.issuers import KEPT_S, PAUSE_S, STALE_S, PinnedKey, PublishedKeys
from api.access.tokens import LEEWAY_S, Issuer, Tokens
from omniforge.errors import IssuerUnavailable, KeyRefused, Rejected, Unauthenticated
from omniforge.identity import Principal, Role
from omniforge.settings import Settings
from omniforge.store.access import create_tenant
from omniforge.store.store import Store
from omniforge.tools.egress import Egress
from tests.access.filling import Workspace
from tests.access.serving import serving_api
from tests.store.making import Tenant
from tests.support.asgi import Receive, Send, answer_json
from tests.support.ports import free_port
from tests.support.requirements import requirement
from tests.support.servers import serving

ISSUER, AUDIENCE = "https://issuer.example", "omniforge"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "two"})
CURVE = ECKey.generate_key("P-256", {"kid": "curve"})


def pem(key: RSAKey | ECKey) -> str:
    return key.as_pem(private=False).decode()


def token(
    tenant: str, key: Any = KEY, alg: str = "RS256", kid: str | None = "one", **claims: Any
) -> str:
    """A good token, but for what is said otherwise. A claim of None is left out."""
    now = int(time.time())
    known = {"iss": ISSUER, "aud": AUDIENCE, "sub": "svc-1", "exp": now + 60, "nbf": now}
    said = {**known, "tenant_id": tenant, "role": "operator", **claims}
    header = {"alg": alg, **({"kid": kid} if kid else {})}
    whole = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(header, whole, key, algorithms=[alg])


def tokens_of(store: Store, keys: Any = None, algorithms: tuple[str, ...] = ("RS256",)) -> Tokens:
    issuer = Issuer(ISSUER, AUDIENCE, algorithms, keys or PinnedKey(pem(KEY)), "tenant_id", "role")
    return Tokens(issuer, store)


# ---- who it is -------------------------------------------------------------------------------


@requirement("SEC-2")
async def test_a_service_is_who_and_what_its_token_says(tenant: Tenant) -> None:
    caller = await tokens_of(tenant.store).principal_of(token(tenant.id))

    assert (caller.tenant_id, caller.user_id, caller.role) == (tenant.id, "svc-1", Role.OPERATOR)
    assert caller.scope.expires_at is not None


@requirement("SEC-2")
@pytest.mark.parametrize(("claimed", "role"), [("owner", Role.OWNER), ("viewer", Role.VIEWER)])
async def test_of_a_members_two_roles_the_lower_counts(
    tenant: Tenant, claimed: str, role: Role
) -> None:
    tokens, owner = tokens_of(tenant.store), tenant.owner.user_id
    viewer = await tenant.mine.write(lambda db: db.members.add("V", Role.VIEWER, is_service=True))

    as_owner = await tokens.principal_of(token(tenant.id, sub=owner, role=claimed))
    as_viewer = await tokens.principal_of(token(tenant.id, sub=viewer.user_id, role=claimed))

    assert (as_owner.role, as_viewer.role) == (role, Role.VIEWER)


@requirement("SEC-2")
async def test_a_token_for_a_former_member_or_somebody_elses_user_is_refused(
    tenant: Tenant,
) -> None:
    other = await tenant.store.database.write(lambda c: create_tenant(c, "Other", "Eve"))
    left = await tenant.mine.write(lambda db: db.members.add("L", Role.VIEWER, is_service=False))
    await tenant.mine.write(lambda db: db.members.remove(left.user_id))

    for user in (left.user_id, other.user_id):
        with pytest.raises(KeyRefused):
            await tokens_of(tenant.store).principal_of(token(tenant.id, sub=user))


@requirement("SEC-2")
async def test_a_token_opens_what_its_role_may_and_keys_go_on_beside_it(tmp_path: Path) -> None:
    issuer = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_public_key": pem(KEY)}
    async with serving_api(tmp_path, **issuer) as running:
        workspace = await Workspace.new(running)
        service = token(workspace.owner.tenant_id)

        me = (await workspace.send("GET", "/api/v1/me", service)).json()
        refused = [
            await workspace.send("POST", "/api/v1/agents", service, {}),
            await workspace.send("POST", "/api/v1/keys", service, {"name": "x"}),
            await workspace.send("GET", "/api/v1/me", service[:-4] + "AAAA"),
        ]
        owner = await workspace.send("GET", "/api/v1/me")

    assert (me["user_id"], me["role"], me["credential"]) == ("svc-1", "operator", "jwt")
    assert [one.json()["code"] for one in refused] == [
        "forbidden",
        "member_not_found",
        "unauthenticated",
    ]
    assert owner.json()["role"] == "owner"


@pytest.mark.parametrize(
    "half",
    [
        {"jwt_audience": ""},
        {"jwt_public_key": ""},
        {"jwt_jwks_url": "https://issuer.example/jwks"},
        {"jwt_algorithms": ["HS256"]},
        {"jwt_algorithms": []},
    ],
)
def test_an_issuer_that_is_half_set_up_or_shares_a_secret_is_refused(half: dict[str, Any]) -> None:
    whole = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_public_key": pem(KEY)}

    with pytest.raises(ValidationError):
        Settings(_env_file=None, **{**whole, **half})


# ---- what is refused -------------------------------------------------------------------------


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def forged(tenant_id: str) -> Mapping[str, str]:
    """Tokens that nobody may get in with, by what is wrong with them."""
    now = int(time.time())
    head, body, signature = token(tenant_id).split(".")
    shared = encoded(b'{"alg":"HS256","kid":"one"}') + f".{body}"
    mac = encoded(hmac.digest(pem(KEY).encode(), shared.encode(), sha256))
    none = encoded(b'{"alg":"none"}')
    return {
        "expired": token(tenant_id, exp=now - LEEWAY_S - 5),
        "not yet valid": token(tenant_id, nbf=now + LEEWAY_S + 5),
        "without an end": token(tenant_id, exp=None),
        "of another issuer": token(tenant_id, iss="https://other.example"),
        "for another audience": token(tenant_id, aud="elsewhere"),
        "for no audience": token(tenant_id, aud=None),
        "of an unknown workspace": token("tn_none"),
        "without a workspace": token(tenant_id, tenant_id=None),
        "with a list as workspace": token(tenant_id, tenant_id=[tenant_id]),
        "without a subject": token(tenant_id, sub=None),
        "with a long subject": token(tenant_id, sub="x" * 65),
        "with a subject of control characters": token(tenant_id, sub="a\0b"),
        "without a role": token(tenant_id, role=None),
        "with an unknown role": token(tenant_id, role="root"),
        "with an end beyond time": token(tenant_id, exp=1e300),
        "signed by somebody else": token(tenant_id, OTHER),
        "signed with the public key as a secret": f"{shared}.{mac}",
        "signed in a way that is not pinned": token(tenant_id, KEY, "PS256"),
        "signed with a curve": token(tenant_id, CURVE, "ES256"),
        "unsigned": f"{none}.{body}.",
        "unsigned, with a signature": f"{none}.{body}.{signature}",
        "changed": f"{head}.{body[:-2]}AA.{signature}",
        "cut": f"{head}.{body}",
        "no token": "a.b.c",
        "nothing": "",
        "huge": f"{head}.{'A' * 20_000}.{signature}",
        "not of this alphabet": "Ω.Ω.Ω",
    }


@requirement("SEC-2")
async def test_no_forged_token_opens_anything(tenant: Tenant) -> None:
    tokens = tokens_of(tenant.store)
    taken = []
    for what, text in forged(tenant.id).items():
        try:
            await tokens.principal_of(text)
        except Unauthenticated:
            continue
        taken.append(what)

    assert taken == []
    assert isinstance(await tokens.principal_of(token(tenant.id)), Principal)


async def test_clocks_may_differ_a_little(tenant: Tenant) -> None:
    now = int(time.time())
    tokens = tokens_of(tenant.store)

    assert await tokens.principal_of(token(tenant.id, exp=now - LEEWAY_S + 10))
    assert await tokens.principal_of(token(tenant.id, nbf=now + LEEWAY_S - 10))


@pytest.mark.parametrize(
    "text",
    ["", "a secret", pem(KEY)[:100], KEY.as_pem(private=True).decode()],
    ids=["nothing", "no key", "half", "private"],
)
def test_what_is_no_public_key_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(Rejected, match="OMNIFORGE_JWT_PUBLIC_KEY"):
        PinnedKey(text)


async def test_a_public_key_may_come_with_its_line_ends_written_out(tenant: Tenant) -> None:
    keys = PinnedKey(pem(CURVE).replace("\n", "\\n"))

    curved = token(tenant.id, CURVE, "ES256")
    assert await tokens_of(tenant.store, keys, ("ES256",)).principal_of(curved)


# ---- published keys --------------------------------------------------------------------------


class Publishing:
    """An issuer's address for its keys, which counts how often it is asked."""

    def __init__(self) -> None:
        self.keys: list[Any] = [KEY]
        self.asked = 0
        self.status = 200
        self.url = ""
        self.now = 1_000_000.0

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked += 1
            await answer_json(send, self.status, KeySet(self.keys).as_dict(private=False))

    def source(self) -> PublishedKeys:
        return PublishedKeys(self.url, Egress(("127.0.0.1",)), lambda: self.now)


@pytest.fixture
async def publishing() -> AsyncIterator[Publishing]:
    app, port = Publishing(), free_port()
    app.url = f"http://127.0.0.1:{port}/jwks"
    async with serving(app, port):
        yield app


@requirement("SEC-2")
async def test_a_rotated_key_is_found_and_a_withdrawn_one_forgotten(
    publishing: Publishing,
) -> None:
    keys = publishing.source()
    before = await keys.get("one")
    publishing.keys = [OTHER]

    unknown = await keys.get("two")
    publishing.now += PAUSE_S
    rotated, still = await keys.get("two"), await keys.get("one")

    assert before is not None
    assert unknown is None
    assert rotated is not None
    assert still is None


async def test_invented_key_ids_do_not_make_us_ask_again_and_again(publishing: Publishing) -> None:
    keys = publishing.source()

    await asyncio.gather(*(keys.get(f"invented-{n}") for n in range(50)))

    assert publishing.asked == 1


@requirement("SEC-2")
async def test_known_keys_outlast_a_failure_for_a_while_and_no_longer(
    publishing: Publishing,
) -> None:
    keys = publishing.source()
    await keys.get("one")
    publishing.status = 500

    publishing.now += KEPT_S + 1
    kept = await keys.get("one")
    publishing.now += STALE_S

    assert kept is not None
    with pytest.raises(IssuerUnavailable):
        await keys.get("one")


async def test_a_private_address_of_keys_is_not_asked(publishing: Publishing) -> None:
    keys = PublishedKeys(publishing.url, Egress(()), lambda: publishing.now)

    with pytest.raises(IssuerUnavailable):
        await keys.get("one")
    assert publishing.asked == 0
