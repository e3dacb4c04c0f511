"""Think, act, observe, until there is an answer or a limit."""

from collections.abc import Sequence

from omniforge.agents.runs import ErrorInfo
from omniforge.errors import AnswerUnusable, ContextTooLong, GaveUp, OutputInvalid
from omniforge.execution.events import Ending, ExecutionResult
from omniforge.execution.loop.answers import OutputSchema, output_of
from omniforge.execution.loop.circles import Circles
from omniforge.execution.loop.compaction.compacting import Compaction
from omniforge.execution.loop.conversation import Conversation
from omniforge.execution.loop.endings import early
from omniforge.execution.loop.exclusion import Exclusion
from omniforge.execution.loop.observations import observation, sentence
from omniforge.execution.loop.preamble import Preamble
from omniforge.execution.loop.progress import Progress
from omniforge.execution.loop.prompt import repair
from omniforge.execution.loop.steering import Steering
from omniforge.execution.model_call.reasoning import ModelFailed, ReasoningEngine, is_whole_answer
from omniforge.journal.asking import is_asked_back
from omniforge.journal.journal import Journal
from omniforge.llm.protocol import Turn
from omniforge.tools.executor import Call, Policy, ToolExecutor
from omniforge.tools.protocol import ToolCallContext, ToolResult

# A model that cannot keep to a form it was told twice will not learn it in this run.
MAX_MALFORMED = 3
# One round to mend what does not fit the schema; a model that cannot then does not understand it.
MAX_REPAIRS = 1


class Turns:
    """Of one segment of a skill. All that decides which step comes next is taken from the record."""

    def __init__(
        self,
        preamble: Preamble,
        journal: Journal,
        reasoning: ReasoningEngine,
        tools: ToolExecutor,
        policy: Policy,
        progress: Progress,
    ) -> None:
        self._preamble, self._journal, self._reasoning = preamble, journal, reasoning
        self._tools, self._progress = tools, progress
        offered = [tool.name for tool in preamble.schemas]
        self._exclusion = Exclusion(policy, tools.registry, offered, preamble.max_failures)
        self._circles = Circles()
        self._conversation = Conversation(preamble)
        self._compaction = Compaction(
            self._conversation, preamble, journal, reasoning, tools.registry
        )
        self._steering = Steering(self._conversation, journal, progress)
        self._schema = OutputSchema(preamble.output_schema)
        self._malformed = self._repairs = 0

    async def take(self, limit: int, context: ToolCallContext) -> ExecutionResult:
        """Take turns, at most `limit` of them, and one more for each message of a person.

        Raises:
            ModelFailed, GaveUp, OutputInvalid: The skill cannot come to an answer.
            Interrupted, PersonNeeded, BudgetExceeded, RecordEnded: As the journal says.
        """
        progress = self._progress
        while progress.iterations < limit + self._steering.heard:
            progress.say(await self._compaction.make_room() or "")
            await self._steering.listen()
            progress.iterations += 1
            turn = await self._next()
            if turn is None:
                continue
            if turn.calls:
                await self._act(turn, context)
            elif self._accepts(turn):
                if not await self._steering.is_to_go_on():
                    return self._answered(turn)
                self._conversation.answered(turn)
                await self._steering.listen()
        message = (
            f"The skill used up its {limit} turns without an answer. Allow it more"
            " (limits.max_iterations), or split it."
        )
        return early(Ending.FAILED, progress, ErrorInfo(code="max_iterations", message=message))

    async def _next(self) -> Turn | None:
        """The model's next turn; None when there is none of use, but another can be asked for."""
        completion, fallbacks = self._conversation.completion, self._preamble.fallbacks
        try:
            turn = await self._reasoning.call_llm(
                completion, self._journal, fallbacks, self._is_end
            )
        except AnswerUnusable as problem:
            self._correct(problem)
            return None
        except ModelFailed as failed:
            if failed.info.code != ContextTooLong.code:
                raise
            if (said := await self._compaction.shrink()) is None:
                raise
            self._progress.say(said)
            return None
        self._malformed = 0
        self._progress.text = turn.text or self._progress.text
        self._progress.say(turn.text)
        return turn

    def _is_end(self, turn: Turn) -> bool:
        return is_whole_answer(turn) and not self._schema.findings(turn.text)

    # ---- acting ------------------------------------------------------------------------------

    async def _act(self, turn: Turn, context: ToolCallContext) -> None:
        calls = [Call(call.name, call.arguments, turn.text) for call in turn.calls]
        results = await self._tools.execute(calls, context, self._journal, self._exclusion)
        self._tell(calls, results)
        self._exclusion.saw(turn.calls, results)
        answers = [
            observation(call, result, self._tools.registry, self._preamble.mark)
            for call, result in zip(turn.calls, results, strict=True)
        ]
        # People who ask back know themselves how often they want to.
        is_talk = any(is_asked_back(result.error) for result in results)
        if not is_talk and (circle := self._circles.closed_by(turn.calls, answers)) is not None:
            raise ModelFailed(ErrorInfo(code="repetition", message=circle))
        self._conversation.took(turn, answers, _note(turn))

    def _tell(self, calls: Sequence[Call], results: Sequence[ToolResult]) -> None:
        for call, result in zip(calls, results, strict=True):
            self._progress.say(f"{call.name}: {'ok' if result.success else sentence(result)}")
            if result.error is not None and result.error.code == GaveUp.code:
                raise GaveUp(f"{call.name}: {result.error.message}")

    # ---- answers -----------------------------------------------------------------------------

    def _correct(self, problem: AnswerUnusable) -> None:
        """Hand an unusable answer back to the model with what was wrong with it."""
        self._malformed += 1
        self._progress.text = problem.text or self._progress.text
        if self._malformed >= MAX_MALFORMED:
            message = (
                f"The model gave {MAX_MALFORMED} answers in a row that cannot be used. To the last one"
                f" it was told: {problem.message}"
            )
            raise ModelFailed(ErrorInfo(code="model_answer_invalid", message=message))
        self._progress.say(problem.message)
        self._conversation.corrected(problem.text, problem.message)

    def _accepts(self, turn: Turn) -> bool:
        """Whether an answer fits the skill's schema; if not, the model is told why.

        Raises:
            OutputInvalid: It was told before.
        """
        if not (findings := self._schema.findings(turn.text)):
            return True
        if self._repairs == MAX_REPAIRS:
            raise OutputInvalid(
                "The skill's answer does not fit the output schema that the skill declares:"
                f" {'; '.join(findings)}. The text of the answer is kept."
            )
        self._repairs += 1
        self._progress.say(f"The answer does not fit the output schema: {'; '.join(findings)}")
        self._conversation.corrected(turn.text, repair(findings))
        return False

    def _answered(self, turn: Turn) -> ExecutionResult:
        return ExecutionResult(
            Ending.COMPLETED,
            output_of(turn.text),
            turn.text,
            iterations=self._progress.iterations,
        )


def _note(turn: Turn) -> str:
    if not turn.left_out:
        return ""
    return (
        f"You made {len(turn.calls) + turn.left_out} calls in one turn, which is too many. Only the first"
        f" {len(turn.calls)} were carried out; make the others again if they are still needed."
    )
