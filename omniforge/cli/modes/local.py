"""A folder of skills tried out in this process."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import TypeAdapter, ValidationError

from omniforge.agents.config import AgentConfig
from omniforge.agents.strategies import StrategyName, wire
from omniforge.assembly import llm_from, tools_from
from omniforge.cli.exits import ExitCode
from omniforge.cli.output import Output, shortened
from omniforge.cli.runs import tell_held
from omniforge.cli.session import leave
from omniforge.client.folders import AGENT_JSON, described
from omniforge.clock import now
from omniforge.errors import AgentInvalid, OmniForgeError
from omniforge.execution.testing import AgentTestRunner, TestResult
from omniforge.settings import load_settings
from omniforge.skills.loader import SkillLoader
from omniforge.skills.storage import SkillStorageManager, StorageConfig
from omniforge.tools.protocol import Tool


@dataclass(frozen=True, slots=True)
class Trial:
    """What to try an agent out with."""

    input_data: Mapping[str, Any] | None
    files: Mapping[str, bytes]
    answers: Mapping[str, Any]
    integration: bool


def try_here(folder: Path, trial: Trial, out: Output) -> None:
    """Run the skills of a folder and tell what came of it; leaves with the run's exit status."""
    try:
        result = asyncio.run(_tried(folder.resolve(), trial))
    except OmniForgeError as error:
        leave(error, out)
    _tell(result, out)
    if not result.success:
        raise typer.Exit(ExitCode.RUN_FAILED)


async def _tried(folder: Path, trial: Trial) -> TestResult:
    agent, skills = agent_in(folder)
    settings = load_settings()
    llm = llm_from(settings)
    loader = SkillLoader(SkillStorageManager(StorageConfig(agent_path=skills)))

    def tools(_: Mapping[str, Any]) -> Iterable[Tool]:
        return tools_from(settings)

    runner = AgentTestRunner(loader, tools, llm)
    given = {"input_data": trial.input_data, "files": trial.files}
    try:
        if trial.integration:
            return await runner.integration_test(agent, {}, **given)
        return await runner.dry_run(agent, trial.answers, **given)
    finally:
        await llm.aclose()


def agent_in(folder: Path) -> tuple[AgentConfig, Path]:
    """The agent of a folder, and where its skills' folders are.

    Raises:
        AgentInvalid: There is no agent.json, no SKILL.md and no folder with one.
        PlanInvalid: The strategy in agent.json does not fit the skills.
    """
    wiring: dict[str, Any] = {}
    skills = folder
    if (folder / AGENT_JSON).is_file():
        path = folder / AGENT_JSON
        wiring, skills = described(path.read_bytes(), str(path)), folder / "skills"
    elif (folder / "SKILL.md").is_file():
        skills, wiring = folder.parent, {"skills": [{"name": folder.name}]}
    if "skills" not in wiring:
        names = sorted(each.parent.name for each in skills.glob("*/SKILL.md"))
        wiring["skills"] = [{"name": name, "order": n} for n, name in enumerate(names, 1)]
    if not wiring["skills"]:
        raise AgentInvalid(f"{folder} holds no skill: it needs a SKILL.md, or folders with one.")
    return _agent(folder.name, wiring), skills


def _agent(name: str, wiring: Mapping[str, Any]) -> AgentConfig:
    known = {part: wiring[part] for part in ("skills", "limits", "permissions") if part in wiring}
    here = dict.fromkeys(("id", "tenant_id", "created_by"), "local")
    made = dict.fromkeys(("created_at", "updated_at"), now())
    try:
        agent = AgentConfig.model_validate({**known, **here, **made, "name": name})
        if (strategy := wiring.get("strategy")) is None:
            return agent
        asked = TypeAdapter[StrategyName](StrategyName).validate_python(strategy)
        return agent.model_copy(update={"skills": wire(asked, agent.skills).skills})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise AgentInvalid(f"{name}/{AGENT_JSON}: {where}: {first['msg']}") from error


def _json(output: object) -> str:
    return shortened(json.dumps(output, ensure_ascii=False), 400)


def _tell(result: TestResult, out: Output) -> None:
    if out.as_json:
        out.document(
            {
                "mode": result.mode,
                "success": result.success,
                "outputs": result.outputs,
                "errors": result.errors,
                "calls": result.calls,
                "files": sorted(result.files),
                "usage": result.usage,
                "cost_usd": result.cost,
            }
        )
        return
    out.table(
        ("SKILL", "STEP", "TOOL", "ORIGIN", "HELD"),
        [(c.node, c.step, c.tool, c.origin, "held" if c.is_held else "") for c in result.calls],
    )
    facts: list[tuple[str, object]] = [("mode", result.mode.replace("_", " "))]
    facts += [(f"output of {node}", _json(output)) for node, output in result.outputs.items()]
    facts += [(f"error of {node}", f"{e.message} ({e.code})") for node, e in result.errors.items()]
    facts += [("files", ", ".join(sorted(result.files))), ("cost", f"${result.cost}")]
    out.facts(facts)
    tell_held(out, result.held)
