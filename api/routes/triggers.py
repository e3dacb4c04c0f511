"""Event triggers: set up, changed, their secrets; and the deliveries that came for them."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr

from api.dependencies import Audited, Caller, Cursor, Limit, Mine
from api.errors import responses
from api.schemas.triggers import (
    DeliveryBody,
    DeliveryList,
    NewTrigger,
    RedeliverRequest,
    RotateRequest,
    SecretRotated,
    TriggerBody,
    TriggerChange,
    TriggerCreated,
    TriggerList,
    WholeDeliveryBody,
)
from api.triggers.intake import Taking
from omniforge import clock
from omniforge.agents.config import AgentStatus
from omniforge.agents.triggers.events import Delivery, DeliveryStatus, ProviderName, Trigger
from omniforge.client import triggering
from omniforge.errors import (
    AgentArchived,
    AgentNotFound,
    DeliveryNotFound,
    DeliveryNotRepeated,
    KeyMissing,
    TokenNotThere,
    TriggerNotFound,
    Unauthenticated,
    WebhookSecretInvalid,
)
from omniforge.execution.plans.checks import PlanFinding
from omniforge.execution.plans.events import check_filter, check_mapping
from omniforge.identity import new_id
from omniforge.keys import KeyRing
from omniforge.store.audit import Act
from omniforge.store.sealed import SealedSecret, open_secret, seal_secret
from omniforge.store.sql import Page
from omniforge.store.store import Repositories
from omniforge.webhooks.delivery import SecretFrom
from omniforge.webhooks.providers import PROVIDERS
from omniforge.webhooks.secrets import new_secret, refuse_unusable

router = APIRouter(prefix="/api/v1", tags=["triggers"], responses=responses(Unauthenticated))


class Safe:
    """What a trigger's secrets are sealed and opened with."""

    def __init__(self, request: Request, caller: Caller) -> None:
        self._keys: KeyRing = request.app.state.keys
        self._tenant_id = caller.tenant_id

    def seal(self, trigger_id: str, secret: str) -> SealedSecret:
        return seal_secret(self._keys, self._tenant_id, trigger_id, secret)

    def open(self, trigger_id: str, secret: SealedSecret) -> str:
        return open_secret(self._keys, self._tenant_id, trigger_id, secret).value


class Addresses:
    """Where senders reach triggers: below the platform's public address, or the one that was called."""

    def __init__(self, request: Request) -> None:
        self._base = str(request.app.state.public_url or request.base_url).rstrip("/")

    def of(self, trigger: Trigger) -> str:
        return f"{self._base}/api/v1/hooks/{trigger.id}"


InSafe = Annotated[Safe, Depends()]
Addressing = Annotated[Addresses, Depends()]


@router.post(
    "/triggers",
    status_code=201,
    responses=responses(AgentNotFound, AgentArchived, WebhookSecretInvalid, KeyMissing),
)
async def add_trigger(
    body: NewTrigger, mine: Mine, caller: Caller, safe: InSafe, addresses: Addressing
) -> TriggerCreated:
    """Have an agent run on the events of a service. Its answer is the only one with the secret.

    A service that makes the secret itself shows it once it has the trigger's `url`: create the trigger,
    then hand the secret in with `rotate-secret`. Until then, all deliveries are refused.
    """
    await _refuse_unsound(body.filter, body.mapping)
    at = clock.now()
    trigger = Trigger(
        **body.config(caller.tenant_id).model_dump(),
        id=new_id("tr"),
        created_by=caller.user_id,
        created_at=at,
        updated_at=at,
    )
    given, made = _secret(body.secret, body.provider)
    known = given or made
    secrets = [] if known is None else [safe.seal(trigger.id, known)]

    def work(db: Repositories) -> None:
        if db.agents.get(trigger.agent_id).status is AgentStatus.ARCHIVED:
            raise AgentArchived(trigger.agent_id)
        db.triggers.add(trigger, secrets)

    await mine.write(work)
    return TriggerCreated.with_secret(trigger, addresses.of(trigger), made)


@router.get("/triggers")
async def list_triggers(
    mine: Mine,
    addresses: Addressing,
    agent_id: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TriggerList:
    """The triggers of the workspace, newest first."""
    page = await mine.read(lambda db: db.triggers.page(limit, cursor, agent_id))
    bodies = [TriggerBody.of(one, addresses.of(one)) for one in page.items]
    return TriggerList(triggers=bodies, next_cursor=page.next_cursor)


@router.get("/triggers/{trigger_id}", responses=responses(TriggerNotFound))
async def get_trigger(trigger_id: str, mine: Mine, addresses: Addressing) -> TriggerBody:
    """One trigger."""
    trigger = await mine.read(lambda db: db.triggers.get(trigger_id))
    return TriggerBody.of(trigger, addresses.of(trigger))


@router.patch("/triggers/{trigger_id}", responses=responses(TriggerNotFound))
async def change_trigger(
    trigger_id: str, change: TriggerChange, mine: Mine, addresses: Addressing
) -> TriggerBody:
    """Change a trigger. While it is not `enabled`, deliveries are kept and lead to no run."""
    await _refuse_unsound(change.filter, change.mapping)

    def work(db: Repositories) -> Trigger:
        before = db.triggers.get(trigger_id)
        db.triggers.change(change.of(before))
        return db.triggers.get(trigger_id)

    trigger = await mine.write(work)
    return TriggerBody.of(trigger, addresses.of(trigger))


@router.delete("/triggers/{trigger_id}", status_code=204, responses=responses(TriggerNotFound))
async def remove_trigger(trigger_id: str, mine: Mine) -> None:
    """Take no more deliveries: senders get a 404. Those that came can still be read."""
    await mine.write(lambda db: db.triggers.remove(trigger_id))


@router.post(
    "/triggers/{trigger_id}/rotate-secret",
    responses=responses(TriggerNotFound, WebhookSecretInvalid, KeyMissing),
)
async def rotate_secret(
    trigger_id: str, body: RotateRequest, mine: Mine, audited: Audited, safe: InSafe
) -> SecretRotated:
    """Replace the secret. The old one is taken for `overlap_s` more; the new one is shown this once.

    Of Notion, a new token is awaited instead, which it sends when its subscription is verified again.
    """
    trigger = await mine.read(lambda db: db.triggers.get(trigger_id))
    given, made = _secret(body.secret, trigger.provider)
    if given is None and PROVIDERS[trigger.provider].secret_from is SecretFrom.SERVICE:
        raise WebhookSecretInvalid(
            f"{trigger.provider.capitalize()} makes this secret; copy it from there."
        )
    known = given or made
    new = None if known is None else safe.seal(trigger_id, known)
    until = clock.now() + timedelta(seconds=body.overlap_s)
    await audited.write(
        Act.TRIGGER_SECRET_ROTATED,
        trigger_id,
        lambda db: db.triggers.rotate(trigger_id, new, until),
    )
    return SecretRotated(secret=made, old_valid_until=until)


@router.get(
    "/triggers/{trigger_id}/verification-token",
    responses=responses(TriggerNotFound, TokenNotThere, KeyMissing),
)
async def get_verification_token(
    trigger_id: str, mine: Mine, safe: InSafe
) -> triggering.VerificationToken:
    """The token that Notion sent to prove the address. It is shown once, for pasting into Notion."""
    sealed = await mine.write(lambda db: db.triggers.read_token(trigger_id))
    return triggering.VerificationToken(verification_token=safe.open(trigger_id, sealed))


@router.get("/triggers/{trigger_id}/deliveries", responses=responses(TriggerNotFound))
async def list_deliveries(
    trigger_id: str,
    mine: Mine,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: DeliveryStatus | None = None,
) -> DeliveryList:
    """What came for a trigger, also for one that was removed; newest first, without payloads."""

    def work(db: Repositories) -> Page[Delivery]:
        page = db.deliveries.page(trigger_id, limit, cursor, status)
        if not page.items:
            db.triggers.get(trigger_id)
        return page

    page = await mine.read(work)
    bodies = [DeliveryBody.of(one) for one in page.items]
    return DeliveryList(deliveries=bodies, next_cursor=page.next_cursor)


@router.get("/deliveries/{delivery_id}", responses=responses(DeliveryNotFound))
async def get_delivery(delivery_id: str, mine: Mine) -> WholeDeliveryBody:
    """One delivery, with what its sender sent."""
    return WholeDeliveryBody.of(await mine.read(lambda db: db.deliveries.get(delivery_id)))


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    status_code=202,
    responses=responses(DeliveryNotFound, TriggerNotFound, DeliveryNotRepeated),
)
async def redeliver(delivery_id: str, caller: Caller, intake: Taking) -> DeliveryBody:
    """Take up a delivery again that led to no run, as if it had just come."""
    return DeliveryBody.of(await intake.redeliver(caller.tenant_id, delivery_id))


@router.post(
    "/triggers/{trigger_id}/redeliver", status_code=202, responses=responses(TriggerNotFound)
)
async def redeliver_dead(
    trigger_id: str, body: RedeliverRequest, caller: Caller, intake: Taking
) -> triggering.Redelivered:
    """Take up all dead deliveries of a trigger again, or those for one reason, or since a time."""
    count = await intake.redeliver_dead(caller.tenant_id, trigger_id, body.reason, body.since)
    return triggering.Redelivered(redelivered=count)


async def _refuse_unsound(only: str | None, mapping: Mapping[str, str] | None) -> None:
    """
    Raises:
        RequestValidationError: With everything that is certain to go wrong, and where.
    """

    def look() -> list[PlanFinding]:
        of_filter = () if only is None else check_filter(only)
        return [*of_filter, *check_mapping(mapping or {})]

    # Compiling takes a few milliseconds an expression.
    if found := await asyncio.to_thread(look):
        raise RequestValidationError(
            [{"loc": ("body", one.place), "msg": one.message, "type": "cel"} for one in found]
        )


def _secret(secret: SecretStr | None, provider: ProviderName) -> tuple[str | None, str | None]:
    """The secret that a caller gives, or a new one for a service that takes ours; one of them, or none.

    Raises:
        WebhookSecretInvalid: The given one cannot be one.
    """
    if secret is not None:
        refuse_unusable(secret.get_secret_value())
        return secret.get_secret_value(), None
    is_ours = PROVIDERS[provider].secret_from is SecretFrom.ANYONE
    return None, new_secret() if is_ours else None
