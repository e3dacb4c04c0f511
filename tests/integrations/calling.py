"""Calling tools that may be refused, as many accounts as a test needs."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from omniforge.errors import OmniForgeError
from tests.support.integrations import Tokens, Toolbox

OpenBox = Callable[..., Toolbox]
"""Opens a toolbox with the given tokens, for an account that no limit knows of yet."""


@contextlib.asynccontextmanager
async def toolboxes(name: str, url: str, folder: Path) -> AsyncIterator[OpenBox]:
    boxes: list[Toolbox] = []

    def opened(*secrets: str) -> Toolbox:
        tokens = Tokens(list(secrets)) if secrets else None
        boxes.append(Toolbox(name, url, folder, tokens))
        return boxes[-1]

    yield opened
    for box in boxes:
        await box.http.aclose()


async def refused(tools: Toolbox, name: str, arguments: Mapping[str, Any]) -> OmniForgeError:
    try:
        answer = await tools.call(name, **arguments)
    except OmniForgeError as error:
        return error
    raise AssertionError(f"{name} answered {answer}")
