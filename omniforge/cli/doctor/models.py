"""The model's provider: whether it answers, and takes the key."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2

from omniforge.cli.doctor.check import FAIL, OK, WARN, Check

if TYPE_CHECKING:
    from pydantic import SecretStr

    from omniforge.settings import Settings

_TIMEOUT = 5.0
_ANTHROPIC = "https://api.anthropic.com"
_OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class _Provider:
    name: str
    models: str
    """Where it lists its models."""
    address_variable: str
    headers: dict[str, str] = field(repr=False)


async def model(settings: "Settings") -> Check:
    if settings.provider == "offline":
        found = "offline: follows numbered steps, understands nothing"
        return Check(
            "Model", OK, f"{found} (set ANTHROPIC_API_KEY or OPENAI_API_KEY for a real one)"
        )
    if settings.provider == "anthropic":
        return await _anthropic(settings)
    return await _openai(settings)


async def _anthropic(settings: "Settings") -> Check:
    if not settings.anthropic_api_key:
        return _keyless("anthropic", "ANTHROPIC_API_KEY")
    address = (settings.anthropic_base_url or _ANTHROPIC).rstrip("/")
    key = settings.anthropic_api_key.get_secret_value()
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return await _asked(
        _Provider("anthropic", f"{address}/v1/models", "ANTHROPIC_BASE_URL", headers)
    )


async def _openai(settings: "Settings") -> Check:
    address = (settings.openai_base_url or _OPENAI).rstrip("/")
    if not settings.openai_api_key and not settings.openai_base_url:
        return _keyless("openai", "OPENAI_API_KEY")
    if not settings.llm_model and settings.openai_base_url:
        advice = "Set OMNIFORGE_LLM_MODEL to one that the server has."
        return Check("Model", WARN, f"no model is named, and {address} has no default", advice)
    provider = _Provider(
        "openai", f"{address}/models", "OPENAI_BASE_URL", _bearer(settings.openai_api_key)
    )
    return await _asked(provider)


def _bearer(key: "SecretStr | None") -> dict[str, str]:
    return {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}


def _keyless(name: str, variable: str) -> Check:
    advice = f"Set {variable}, or OMNIFORGE_LLM_PROVIDER=offline."
    return Check("Model", FAIL, f"{name} is chosen and there is no key", advice)


async def _asked(provider: _Provider) -> Check:
    try:
        async with httpx2.AsyncClient(timeout=_TIMEOUT, headers=provider.headers) as http:
            status = (await http.get(provider.models, params={"limit": 1})).status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        found = f"{provider.models} does not answer: {error or type(error).__name__}"
        return Check("Model", WARN, found, f"Check the network, or {provider.address_variable}.")
    if status in (401, 403):
        return Check("Model", FAIL, f"{provider.name} does not accept the key", "Set another one.")
    if status != 200:
        found = f"{provider.models} answered {status}; the key could not be checked"
        return Check("Model", WARN, found)
    key = "the key is accepted" if provider.headers else "it wants no key"
    return Check("Model", OK, f"{provider.name}, and {key}")
