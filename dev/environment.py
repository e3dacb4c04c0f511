"""The environment variables that the parts are started with."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from omniforge.settings import Settings

ROOT = Path(__file__).parents[1]

_FOR_ANY_PROGRAM = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "XDG_CONFIG_HOME")


def ours() -> dict[str, str]:
    """What this process was started with."""
    return dict(os.environ)  # noqa: TID251  # handed on to the parts, which read it as settings


def of_temporal() -> dict[str, str]:
    """For the Temporal server: none of our settings, no keys."""
    kept = {name: value for name, value in ours().items() if name in _FOR_ANY_PROGRAM}
    return kept | {"TEMPORAL_VERSION_CHECK_DISABLED": "1"}


def of_parts(settings: Settings, *, own_temporal: bool, **changed: str) -> dict[str, str]:
    """For the worker and the API: our environment, what `settings` says, and `changed` on top.

    Beside our own Temporal server, the SDK's other variables and its configuration file count for
    nothing: they speak of another server.
    """
    kept = {
        name: value
        for name, value in ours().items()
        if not (own_temporal and name.startswith("TEMPORAL_"))
    }
    if own_temporal:
        kept["TEMPORAL_CONFIG_FILE"] = os.devnull
    parts = kept | exported(settings) | {"PYTHONPATH": str(ROOT)} | changed
    # A rotating file belongs to one process; here each part's output has a file of its own.
    parts.pop("OMNIFORGE_LOG_FILE", None)
    return parts


def exported(settings: Settings) -> dict[str, str]:
    """The variables that set the same in another process. What was left to its default stays so."""
    variables: dict[str, str] = {}
    for name in settings.model_fields_set & set(Settings.model_fields):
        value = getattr(settings, name)
        if value is not None:
            variables[_variable(name)] = _text(value)
    return variables


def _variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"OMNIFORGE_{name.upper()}"


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=_text)
    return str(value)
