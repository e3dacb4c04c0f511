"""The way of a person to a service's consent and back."""

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urljoin

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.access.gate import Gate
from api.connecting.desk import Connecting, Desk, Wish, forget_browser, is_https
from api.connecting.pages import page
from api.dependencies import AllData, Caller, Mine
from api.errors import responses, status_of
from api.schemas.connections import Begun, InitBody, LinkBody, LinkMade
from omniforge import clock
from omniforge.errors import (
    ConnectionNotFound,
    ConsentInvalid,
    IntegrationUnknown,
    KeyMissing,
    LinkInvalid,
    MemberNotFound,
    OmniForgeError,
    Unauthenticated,
)
from omniforge.identity import Principal
from omniforge.integrations.catalog import integration
from omniforge.integrations.oauth.config import CURRENT
from omniforge.store.links import LINK_LASTS, Link, link_of, take_link

router = APIRouter(prefix="/api/v1/oauth", tags=["connections"])

_REFUSALS = responses(Unauthenticated, IntegrationUnknown, ConnectionNotFound, KeyMissing)
_PAGE: dict[str, Any] = {"response_class": HTMLResponse}

_PROOF = "of_link"
"""The cookie of whoever has seen a link's page."""

# Longer ones are nobody's, and need not be looked up.
MAX_PARAMETER = 4_096


@router.post("/init", responses=_REFUSALS)
async def begin(
    body: InitBody, request: Request, response: Response, caller: Caller, desk: Connecting
) -> Begun:
    """Begin to connect an account in the browser that asks: it alone can bring the consent back."""
    wish = Wish(
        caller.tenant_id, caller.user_id, body.integration_id, body.connection_id, body.session_id
    )
    url, state = await desk.send(wish, request, response)
    return Begun(authorize_url=url, state=state)


@router.post("/links", status_code=201, responses=_REFUSALS)
async def make_link(body: LinkBody, caller: Caller, mine: Mine, desk: Connecting) -> LinkMade:
    """A link for whoever is not in a browser, such as the command line: to be opened once, soon."""
    callback = await _way_back(body, caller, desk)
    now = clock.now()
    link = Link(
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        integration_id=body.integration_id,
        credential_id=body.connection_id,
        created_at=now,
        expires_at=now + LINK_LASTS,
    )
    ticket = await mine.write(lambda db: db.links.add(link))
    return LinkMade(url=urljoin(callback, f"start/{ticket}"), expires_at=link.expires_at)


@router.get("/start/{ticket}", **_PAGE)
async def show_link(ticket: str, request: Request, store: AllData) -> HTMLResponse:
    """Say who asks for what. Whatever only looks at links, such as a chat's preview, uses none up."""
    try:
        link = await store.database.read(partial(link_of, ticket=ticket))
        mine = store.for_tenant(link.tenant_id)
        who = await mine.read(lambda db: db.members.get(link.user_id))
    except (LinkInvalid, MemberNotFound) as refusal:
        return _counted(request, refusal, "This link leads nowhere")
    title = integration(link.integration_id).service.title
    words = (
        f"{who.name} wants to connect an account of {title} to OmniForge. Their agents will act on the"
        f" account that you allow at {title}. Go on only if that is you, or if you mean to give them"
        " yours."
    )
    proof = secrets.token_urlsafe(16)
    shown = page(f"Connect {title}", words, proof=proof)
    shown.set_cookie(
        _PROOF,
        proof,
        max_age=int(LINK_LASTS.total_seconds()),
        path=request.url.path,
        secure=is_https(request),
        httponly=True,
        samesite="strict",
    )
    return shown


@router.post("/start/{ticket}", **_PAGE)
async def follow_link(ticket: str, request: Request, store: AllData, desk: Connecting) -> Response:
    """Use a link up, and go to the service with a cookie that lets this browser come back.

    The button of the page before has to be pressed: where an app was allowed once, a service may ask
    nothing, and another site could send a person through in silence.
    """
    async with request.form(max_files=0) as form:
        given = form.get("proof", "")
    shown = request.cookies.get(_PROOF, "")
    if not (shown and isinstance(given, str) and secrets.compare_digest(shown, given)):
        return page("Not yet", "Open the link, and press the button on its page.", 400)
    try:
        link = await store.database.write(partial(take_link, ticket=ticket))
    except LinkInvalid as refusal:
        return _counted(request, refusal, "This link leads nowhere")
    wish = Wish(link.tenant_id, link.user_id, link.integration_id, link.credential_id)
    there = RedirectResponse(
        "", 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    )
    try:
        there.headers["location"], _ = await desk.send(wish, request, there)
    except OmniForgeError as refusal:
        return page("This cannot be connected", refusal.message, status_of(refusal))
    return there


@router.get("/callback", **_PAGE)
async def come_back(request: Request, desk: Connecting) -> HTMLResponse:
    """Where a service sends a person back to."""
    return await _taken_back(request, desk, request.query_params)


@router.post("/callback", **_PAGE)
async def come_back_by_form(request: Request, desk: Connecting) -> HTMLResponse:
    """The same for a service, or a page of the platform's own, that posts a form."""
    async with request.form(max_files=0) as form:
        given = {name: value for name, value in form.items() if isinstance(value, str)}
    return await _taken_back(request, desk, given)


async def _taken_back(request: Request, desk: Desk, given: Mapping[str, str]) -> HTMLResponse:
    code, state, error = (
        given.get(name, "")[:MAX_PARAMETER] for name in ("code", "state", "error")
    )
    try:
        connection = await desk.take_back(request, code=code, state=state, error=error)
    except ConsentInvalid as refusal:
        shown = _counted(request, refusal, "Not connected")
    except OmniForgeError as refusal:
        shown = page("Not connected", refusal.message, status_of(refusal))
    else:
        title = integration(connection.integration_id).service.title
        name = connection.workspace_name or connection.account_id
        shown = page(f"{title} is connected", f"The account is {name}. You can close this window.")
    forget_browser(shown, state)
    return shown


def _counted(request: Request, refusal: OmniForgeError, title: str) -> HTMLResponse:
    """The page for somebody who may be guessing."""
    gate: Gate = request.app.state.gate
    try:
        gate.count_failure(request, refusal)
    except OmniForgeError as too_often:
        refusal = too_often
    return page(title, refusal.message, status_of(refusal))


async def _way_back(body: LinkBody, caller: Principal, desk: Desk) -> str:
    """Where the service will send the person back to. Only there does the link's cookie hold.

    Raises:
        IntegrationUnknown: No app is set up for it.
        ConnectionNotFound: It is not the caller's.
    """
    config = await desk.apps(caller.tenant_id, body.integration_id, CURRENT)
    if body.connection_id is not None:
        connection = await desk.manager.connection(body.connection_id, caller.tenant_id)
        if connection.user_id != caller.user_id:
            raise ConnectionNotFound(body.connection_id)
    return config.redirect_uri
