"""`omniforge connections rotate-keys`: a new key for what is stored encrypted."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import typer

from omniforge.cli.output import Output
from omniforge.cli.session import AsJson, leave

if TYPE_CHECKING:
    from omniforge.settings import Settings
    from omniforge.store.rotation import Rotated


def rotate_keys(as_json: AsJson = False) -> None:
    """Put all stored secrets under the newest key. Run it where the platform's settings are.

    The platform goes on working, and the command can be broken off and begun again.
    """
    from omniforge.errors import OmniForgeError
    from omniforge.settings import load_settings

    out = Output(as_json)
    try:
        settings = load_settings()
        so_far, left = asyncio.run(_rotated(settings, out))
    except OmniForgeError as error:
        leave(error, out)
    _tell(out, settings.key_ring.newest, so_far, left)
    if so_far.unreadable:
        out.note(f"No key here opens: {'; '.join(so_far.unreadable[:10])}")
        raise typer.Exit(1)


async def _rotated(settings: "Settings", out: Output) -> "tuple[Rotated, dict[str, int]]":
    from omniforge.errors import KeyMissing
    from omniforge.store.database import open_database
    from omniforge.store.rotation import Rotated, count_under, rotate

    keys, so_far = settings.key_ring, Rotated()
    if not keys:
        raise KeyMissing("", "There is no key here. Set OMNIFORGE_CREDENTIAL_KEYS, newest first.")
    database = open_database(settings.database)
    try:
        async for so_far in rotate(database, keys):
            out.note(f"{so_far.seen} secrets seen, {so_far.rewrapped} put under the newest key")
        older = keys.ids[1:]
        left = {key: await database.read(partial(count_under, key_id=key)) for key in older}
    finally:
        await database.close()
    return so_far, left


def _tell(out: Output, newest: str, so_far: "Rotated", left: dict[str, int]) -> None:
    if out.as_json:
        told = {"rewrapped": so_far.rewrapped, "left": left, "unreadable": so_far.unreadable}
        out.document({"newest": newest, **told})
        return
    under = [(f"still under {key}", count) for key, count in left.items()]
    out.facts([("put under the newest", so_far.rewrapped), *under])
    for key in (key for key, count in left.items() if count == 0):
        out.note(
            f"Nothing stored needs {key}. When no run does either: python -m api retire-key {key}"
        )
