"""The keys of this machine: made once, and readable for its owner only."""

import os
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, ValidationError

from omniforge.errors import KeyInvalid
from omniforge.keys import KeyRing, new_key
from omniforge.settings import Settings

FILE = "keys.json"


class Keys(BaseModel, extra="forbid"):
    """What the file holds. To change keys, put a new one in front."""

    credential_keys: tuple[str, ...]
    codec_token: str = Field(min_length=32)


def with_keys(settings: Settings, home: Path) -> Settings:
    """The settings, with the keys of this home folder where they name none.

    Raises:
        KeyInvalid: The folder's file is not what was written there.
    """
    own_keys = bool(settings.key_ring)
    if own_keys and settings.codec_token is not None:
        return settings
    path = home / FILE
    if not path.exists():
        _make(path)
    kept = _read(path)
    keys = tuple(SecretStr(key) for key in kept.credential_keys)
    token = settings.codec_token or SecretStr(kept.codec_token)
    return settings.model_copy(
        update={"codec_token": token} | ({} if own_keys else {"credential_keys": keys})
    )


def _make(path: Path) -> None:
    """Write the file as a whole or not at all. Whoever calls is the folder's only owner."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)  # left by a start that was killed
    keys = Keys(credential_keys=(new_key(),), codec_token=new_key())
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(keys.model_dump_json(indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def _read(path: Path) -> Keys:
    try:
        kept = Keys.model_validate_json(path.read_bytes())
        KeyRing.of(kept.credential_keys)
    except (ValidationError, KeyInvalid):
        raise KeyInvalid(
            f"{path} does not hold the keys that were written there. Put it back as it was: what is"
            " encrypted with them can be read with nothing else. Only if nothing is, move it away"
            " and start again to get new ones."
        ) from None  # the cause would show the file
    return kept
