"""Puts an executor together for one skill: its tools, its model, its journal."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from omniforge.errors import ToolInvalid
from omniforge.execution.autonomous import AutonomousConfig, AutonomousSkillExecutor
from omniforge.execution.disclosure import DISCLOSING
from omniforge.execution.disclosure.files import ReadSkillFile
from omniforge.execution.disclosure.injection import SandboxInjector
from omniforge.execution.disclosure.loading import InjectorOf, LoadSkill
from omniforge.execution.model_call.reasoning import ReasoningEngine
from omniforge.execution.skill_scripts import RunSkillScript
from omniforge.journal.journal import Journal
from omniforge.llm.protocol import LLM
from omniforge.skills.document import Skill
from omniforge.tools.executor import ToolExecutor
from omniforge.tools.protocol import Casting, Tool
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.sandbox.commands import scripts_in
from omniforge.tools.sandbox.protocol import Sandbox
from omniforge.tools.wording import listed


class ExecutorFactory:
    """What all executors of a process share.

    Without a sandbox, skills cannot run their scripts. Commands in their texts run in it only if that
    is permitted as well.
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        llm: LLM,
        sandbox: Sandbox | None = None,
        *,
        permits_commands: bool = False,
        fallbacks: Sequence[str] = (),
    ) -> None:
        """
        Raises:
            ToolInvalid: Two tools have one name, or one has a name of the platform's own.
        """
        self._registry, self.llm, self._fallbacks = ToolRegistry(tools), llm, fallbacks
        if taken := DISCLOSING.intersection(self._registry.names):
            raise ToolInvalid(f"{listed(taken)} is the platform's own; call your tool otherwise.")
        self._sandbox, self._permits_commands = sandbox, permits_commands

    def make(
        self,
        skill: Skill,
        config: AutonomousConfig,
        journal: Journal | None = None,
        *,
        has_cap: bool = False,
        tools: Iterable[Tool] = (),
        rehearsal: Casting | None = None,
    ) -> AutonomousSkillExecutor:
        """An executor for one segment of one skill; `tools` are those that only this one has.

        Without a journal it works in memory. In a rehearsal no call with an effect reaches its tool.
        """
        registry = self._registry.extended(*tools)
        injector_of = partial(self._injector, is_rehearsal=rehearsal is not None)
        registry = registry.extended(*_disclosing(skill, config.on_demand, injector_of))
        if self._sandbox and scripts_in(skill.files):
            registry = registry.extended(RunSkillScript(skill.files, self._sandbox))
        reasoning = ReasoningEngine(self.llm, journal, has_cap=has_cap, fallbacks=self._fallbacks)
        return AutonomousSkillExecutor(
            skill,
            registry,
            ToolExecutor(registry, rehearsal),
            config,
            dynamic_injector=injector_of(skill),
            reasoning=reasoning,
        )

    def _injector(self, skill: Skill, *, is_rehearsal: bool) -> SandboxInjector | None:
        if self._sandbox is None or not self._permits_commands:
            return None
        if is_rehearsal and self._sandbox.limits.network:
            return None  # nobody knows what they do outside
        return SandboxInjector(skill.files, self._sandbox)


def _disclosing(skill: Skill, others: Sequence[Skill], injector_of: InjectorOf) -> Iterator[Tool]:
    if others:
        yield LoadSkill(others, injector_of)
    if any(each.supporting_files for each in (skill, *others)):
        yield ReadSkillFile(skill, others)
