"""What the tests of modes do again and again."""

from typing import Any

from omniforge.llm.protocol import Completion
from tests.support.platform import Platform


async def replayed(platform: Platform, execution: str) -> dict[str, Any]:
    """The replay of a run, once it has ended, with nobody there to answer."""
    platform.model.decides(_nobody)
    return await platform.ended(await accepted(platform, f"executions/{execution}/replay"))


async def forked(platform: Platform, execution: str, **body: Any) -> dict[str, Any]:
    return await platform.ended(await accepted(platform, f"executions/{execution}/fork", **body))


async def tried(platform: Platform, agent: str, **body: Any) -> dict[str, Any]:
    """A dry run of an agent, once it has ended."""
    return await platform.ended(await accepted(platform, f"agents/{agent}/test", **body))


async def accepted(platform: Platform, path: str, **body: Any) -> str:
    response = await platform.api.post(f"/api/v1/{path}", json=body)
    assert response.status_code == 202, response.text
    return str(response.json()["execution_id"])


async def refused(platform: Platform, path: str, **body: Any) -> tuple[int, str, str]:
    """(status, code, detail) of a refusal."""
    response = await platform.api.post(f"/api/v1/{path}", json=body)
    problem = response.json()
    return response.status_code, problem["code"], problem["detail"]


async def comparison(platform: Platform, execution: str) -> dict[str, Any]:
    response = await platform.api.get(f"/api/v1/executions/{execution}/comparison")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def held(platform: Platform, execution: str) -> list[dict[str, Any]]:
    response = await platform.api.get(f"/api/v1/executions/{execution}/held")
    calls: list[dict[str, Any]] = response.json()["held"]
    return calls


def _nobody(_: Completion) -> None:
    raise AssertionError("a replay asked a model")


def ended_as(run: dict[str, Any]) -> tuple[Any, ...]:
    """How a run ended, and each of its skills."""
    results = [(one["id"], one["status"], one["output"]) for one in run["skill_results"]]
    return run["status"], run["result"], run["error_code"], run["error"], sorted(results)
