"""How processes reach Temporal: ids, queues, search attributes, the client. Not for workflow modules."""

import dataclasses
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
)
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from omniforge.errors import TemporalUnavailable
from omniforge.keys import NO_KEYS, KeyRing
from workflows.attributes import OF_AGENT, OF_KIND, OF_STATUS, OF_TENANT
from workflows.codec import EncryptingCodec, LimitedPayloadConverter

RUNS_QUEUE = "omniforge-runs"

SEARCH_ATTRIBUTES = tuple(key.name for key in (OF_TENANT, OF_AGENT, OF_STATUS, OF_KIND))

DEFAULT_ADDRESS = "localhost:7233"


def data_converter(keys: KeyRing = NO_KEYS) -> DataConverter:
    """How values travel, for everything that reads or writes payloads.

    With keys they are encrypted, and so are the messages and stack traces of failures.
    """
    return dataclasses.replace(
        pydantic_data_converter,
        payload_converter_class=LimitedPayloadConverter,
        payload_codec=EncryptingCodec(keys),
        failure_converter_class=(
            DefaultFailureConverterWithEncodedAttributes if keys else DefaultFailureConverter
        ),
    )


async def connect(keys: KeyRing = NO_KEYS, **options: Any) -> Client:
    """A client for the server that the SDK's own environment variables name (`TEMPORAL_ADDRESS`, ...).

    Raises:
        TemporalUnavailable: Nothing answers at that address.
    """
    config: dict[str, Any] = {**ClientConfig.load_client_connect_config()}
    config.setdefault("target_host", DEFAULT_ADDRESS)
    try:
        return await Client.connect(**config, data_converter=data_converter(keys), **options)
    except RuntimeError as error:
        raise TemporalUnavailable(
            f"No Temporal server answers at {config['target_host']}. Start one with `make up`, or set"
            " TEMPORAL_ADDRESS."
        ) from error


async def register_search_attributes(client: Client) -> None:
    """Make our search attributes known to the namespace. Where that is not ours to do, they must exist."""
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    request = AddSearchAttributesRequest(
        namespace=client.namespace, search_attributes=dict.fromkeys(SEARCH_ATTRIBUTES, keyword)
    )
    try:
        await client.operator_service.add_search_attributes(request, timeout=timedelta(seconds=10))
    except RPCError as error:
        if error.status not in {RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.PERMISSION_DENIED}:
            raise


def web_ui_link(ui_url: str, namespace: str, workflow_id: str) -> str:
    """A run's page in Temporal's Web UI."""
    from urllib.parse import quote

    return f"{ui_url}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}"
