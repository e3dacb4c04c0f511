"""Where outside services send their events."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.errors import responses
from api.triggers.intake import Receipt, Taking
from omniforge.errors import (
    DeliveryInvalid,
    DeliveryStale,
    DeliveryTooLarge,
    SignatureInvalid,
    StorageUnavailable,
    TooManyDeliveries,
    TriggerNotFound,
)
from omniforge.webhooks.delivery import Handshake, Incoming
from omniforge.webhooks.payloads import MAX_BYTES

router = APIRouter(prefix="/api/v1/hooks", tags=["hooks"])

_ANY_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
        },
    }
}


class Acknowledged(BaseModel):
    """A delivery is on record. `status` is accepted, dead (kept for a person to look at), or duplicate.

    `execution_id` is the run it is going to lead to, if the trigger's filter lets it.
    """

    delivery_id: str
    execution_id: str | None
    status: str


@router.post(
    "/{trigger_id}",
    status_code=202,
    response_model=Acknowledged,
    openapi_extra=_ANY_BODY,
    responses={
        200: {"model": Acknowledged, "description": "It has come before; or a handshake."},
        **responses(
            TriggerNotFound,
            SignatureInvalid,
            DeliveryStale,
            DeliveryInvalid,
            DeliveryTooLarge,
            TooManyDeliveries,
            StorageUnavailable,
        ),
    },
)
async def deliver(trigger_id: str, request: Request, intake: Taking) -> Response:
    """Take an event of an outside service, signed as that service signs.

    The answer comes when the event is on record, and before anything is done about it. Senders repeat a
    delivery under its id until they have an answer; each id leads to one run at most.
    """
    incoming = Incoming(await _limited(request), dict(request.headers))
    taken = await intake.receive(trigger_id, incoming)
    if isinstance(taken, Handshake):
        return Response(taken.body, taken.status, media_type=taken.content_type)
    return JSONResponse(_acknowledged(taken).model_dump(), 202 if taken.is_new else 200)


def _acknowledged(receipt: Receipt) -> Acknowledged:
    delivery = receipt.delivery
    return Acknowledged(
        delivery_id=delivery.id,
        execution_id=delivery.execution_id,
        status=delivery.status if receipt.is_new else "duplicate",
    )


async def _limited(request: Request) -> bytes:
    """The body, unless it is too large: then no more of it is read than shows that."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BYTES:
        raise DeliveryTooLarge(MAX_BYTES)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise DeliveryTooLarge(MAX_BYTES)
        parts.append(part)
    return b"".join(parts)
