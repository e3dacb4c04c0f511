"""The integrations there are: every folder beside this file that has an `INTEGRATION`."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from omniforge import integrations
from omniforge.errors import (
    ConnectionBroken,
    IntegrationUnknown,
    Observation,
    TokenDenied,
    TokenNotAsked,
)
from omniforge.integrations.http.access import HttpAccess
from omniforge.integrations.http.tokens import Brought, TokenSource
from omniforge.integrations.oauth.connection import Account
from omniforge.integrations.oauth.manager import Whose
from omniforge.integrations.operations import Integration
from omniforge.tools.protocol import Tool
from omniforge.tools.wording import listed


@cache
def all_integrations() -> Mapping[str, Integration[Any]]:
    """By name, in alphabetical order."""
    folders = (each.name for each in pkgutil.iter_modules(integrations.__path__) if each.ispkg)
    modules = (importlib.import_module(f"{integrations.__name__}.{name}") for name in folders)
    found = (getattr(module, "INTEGRATION", None) for module in modules)
    return {each.name: each for each in found if each is not None}


def integration(name: str) -> Integration[Any]:
    """
    Raises:
        IntegrationUnknown: There is none of that name.
    """
    known = all_integrations()
    if name not in known:
        raise IntegrationUnknown(name, listed(known))
    return known[name]


def whose_account(http: HttpAccess) -> Whose:
    """How services are asked whose account a token is for."""

    async def whose(name: str, token: str) -> Account:
        asked = integration(name)
        try:
            return await asked.whose(Brought(token), http)
        except ConnectionBroken as error:
            raise TokenDenied(f"{asked.service.title} does not take this token.") from error
        except Observation as error:
            raise TokenNotAsked(error.message) from error

    return whose


def integration_tools(name: str, token_source: TokenSource, http: HttpAccess) -> list[Tool]:
    """The tools of an integration, acting as one connection's account.

    For a dry run, give `http.for_rehearsal()`.

    Raises:
        IntegrationUnknown: There is none of that name.
    """
    return integration(name).tools(token_source, http)
