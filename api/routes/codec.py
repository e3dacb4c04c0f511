"""Payloads as people can read them, for Temporal's Web UI and its command line: operators only.

One Temporal namespace holds the runs of all tenants, so no tenant's API key opens this. The token is
in the address or in the Authorization header, because the Web UI knows of an address and nothing else.
"""

import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from google.protobuf import json_format
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from api import errors
from api.middleware import BodyLimit
from omniforge.errors import PayloadInvalid, Unauthenticated

# A page of history is 4 MB at most, and base64 makes a third more of it.
MAX_BODY = 8 * 1024 * 1024

Header = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def create_codec(codec: PayloadCodec, token: str, ui_url: str) -> FastAPI:
    """An app to mount, at `/decode` and `/encode`, or `/{token}/decode` and `/{token}/encode`.

    Pages of other places than the Web UI's cannot read its answers.
    """
    app = FastAPI(openapi_url=None)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[_origin(ui_url)],
        allow_methods=["POST"],
        allow_headers=["Authorization", "Content-Type", "X-Namespace"],
    )
    errors.install(app)
    app.include_router(_routes(codec, token))
    app.include_router(_routes(codec, token), prefix="/{token}")
    return app


def _routes(codec: PayloadCodec, token: str) -> APIRouter:
    def operator(request: Request, header: Header) -> None:
        """
        Raises:
            Unauthenticated: Neither the address nor the header has the operators' token.
        """
        given = header.credentials if header else request.path_params.get("token", "")
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise Unauthenticated(
                "This is for operators: send OMNIFORGE_CODEC_TOKEN as `Authorization: Bearer ...`,"
                " or in the address that the Web UI is given."
            )

    router = APIRouter(dependencies=[Depends(operator)])

    @router.post("/decode")
    async def decode(request: Request) -> Response:
        return _answer(await codec.decode(await _payloads(request)))

    @router.post("/encode")
    async def encode(request: Request) -> Response:
        return _answer(await codec.encode(await _payloads(request)))

    return router


async def _payloads(request: Request) -> list[Payload]:
    """
    Raises:
        PayloadInvalid: The body is not the JSON form of `Payloads`.
    """
    body = await request.body()
    try:
        found = json_format.Parse(body, Payloads(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise PayloadInvalid(
            'Send the JSON form of payloads: {"payloads": [{"metadata": {...}, "data": "..."}]},'
            " with values in base64."
        ) from error
    return list(found.payloads)


def _answer(payloads: list[Payload]) -> Response:
    body = json_format.MessageToJson(Payloads(payloads=payloads), indent=None)
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


def _origin(url: str) -> str:
    """What a browser calls the place of that page."""
    parts = urlsplit(url.lower())
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"
