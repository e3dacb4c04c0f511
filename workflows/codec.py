"""Payloads on their way to Temporal: encrypted, never too large. Not for workflow modules."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError

from omniforge.errors import CiphertextInvalid, PayloadTooLarge
from omniforge.keys import KeyRing, Sealed

# Servers take 2 MiB at once, and a refusal of theirs is retried for ever. Encryption adds 100 bytes.
MAX_BYTES = 2_000_000

PURPOSE = "payloads of Temporal"
ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"


class EncryptingCodec(PayloadCodec):
    """AES-256-GCM under the newest key; without one, payloads stay as they are.

    Reads what any of its keys encrypted, and what never was: histories outlive a change of keys.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._sealed(payload) for payload in payloads] if self._keys else list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """
        Raises:
            KeyMissing: One was encrypted with a key that is not here.
            CiphertextInvalid: One was changed since.
        """
        return [self._opened(payload) for payload in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        key_id, data = self._keys.seal(PURPOSE, payload.SerializeToString(), ENCODING)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id.encode()}, data=data)

    def _opened(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")[:64]
        text = self._keys.open(PURPOSE, Sealed(key_id, payload.data), ENCODING)
        try:
            return Payload.FromString(text)
        except DecodeError as error:
            raise CiphertextInvalid("What was encrypted is not a payload.") from error


class LimitedPayloadConverter(PydanticPayloadConverter):
    """Refuses what a server would, before it is sent."""

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """
        Raises:
            PayloadTooLarge: It is more than may travel; in workflows and activities, as a failure
                that is final.
        """
        payloads = super().to_payloads(values)
        size = sum(payload.ByteSize() for payload in payloads)
        if size > MAX_BYTES:
            raise _refusal(PayloadTooLarge(size, MAX_BYTES))
        return payloads


def _refusal(error: PayloadTooLarge) -> Exception:
    if workflow.in_workflow() or activity.in_activity():
        return ApplicationError(error.message, type=error.code, non_retryable=True)
    return error
