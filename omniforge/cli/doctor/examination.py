"""All checks, in the order in which a person would mend things."""

from collections.abc import Callable

from omniforge.cli.credentials import find_home, sign_in
from omniforge.cli.doctor import machine, models, services
from omniforge.cli.doctor.check import FAIL, OK, WARN, Check
from omniforge.errors import OmniForgeError
from omniforge.settings import Settings, load_settings

See = Callable[[Check], None]


async def examine(
    see: See, api_url: str | None, api_key: str | None, temporal_address: str
) -> None:
    """Look at everything; `see` is told of each result as it is known."""
    for check in (machine.python(), machine.packages(), machine.temporal_program()):
        see(check)
    settings = _settings(see)
    if settings is None:
        return
    home = settings.home
    see(machine.home_folder(home))
    see(machine.disk(home))
    see(machine.credentials_file(home, is_needed=not (api_url and api_key)))
    await _stores(see, settings)
    see(await _sandbox(settings))
    for check in await _mcp_servers(settings):
        see(check)
    see(await models.model(settings))
    reached = await _platform(see, api_url, api_key)
    see(await services.temporal(temporal_address, reached))


def _settings(see: See) -> Settings | None:
    try:
        load_settings()
    except OmniForgeError as error:
        see(Check("Settings", FAIL, error.message, "Correct the variable, or .env, and try again."))
        return None
    see(Check("Settings", OK, "can be used"))
    return Settings(home=find_home())


async def _stores(see: See, settings: Settings) -> None:
    # SQLAlchemy takes longer to load than all checks before take to run.
    from omniforge.cli.doctor import storing

    checked = await storing.database(settings)
    see(checked)
    if checked.state == OK:
        see(await storing.storage(settings))


async def _sandbox(settings: Settings) -> Check:
    # Few commands need it, and it takes a while to load.
    from omniforge.cli.doctor import sandboxing

    return await sandboxing.sandbox(settings)


async def _mcp_servers(settings: Settings) -> list[Check]:
    from omniforge.cli.doctor import mcp_servers

    return await mcp_servers.of_file(settings)


async def _platform(see: See, api_url: str | None, api_key: str | None) -> bool:
    """Whether there is an API that reaches its Temporal server."""
    try:
        known = sign_in(api_url, api_key)
    except OmniForgeError as error:
        see(Check("API", WARN, f"not asked: {error.message}"))
        return False
    checks, answers = await services.api(known)
    for check in checks:
        see(check)
    if not answers:
        return False
    for check in await services.key_and_worker(known):
        see(check)
    return all(check.state == OK for check in checks if check.name == "API:temporal")
