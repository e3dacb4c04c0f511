"""CEL over a run's input and what its steps gave: evaluated, within bounds.

The evaluation cannot be interrupted and holds the interpreter. So what an expression may cost at most is
worked out first, from what it reads, and only what it reads is handed to CEL.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from omniforge.agents.plan import MAX_ITEMS
from omniforge.errors import ConditionFailed
from omniforge.execution.plans import cost
from omniforge.execution.plans.syntax import parse
from omniforge.execution.plans.tokens import SyntaxProblem
from omniforge.execution.plans.tree import Path, paths, written
from omniforge.journal.steps import Json

if TYPE_CHECKING:
    import cel

MAX_LENGTH = 500

# How the library's messages begin. What follows the second one are kinds, such as `float + int`.
_NO_SUCH_USE, _NO_SUCH_SUM = "No such overload", "Unsupported operation: "


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What expressions see of a step. `status` is done, failed, skipped or pending."""

    output: Json = None
    status: str = "done"
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What expressions see. `item` is there where `index` is, which is in a `for_each`."""

    input: Json
    steps: Mapping[str, StepFacts]
    item: Json = None
    index: int | None = None


def holds(expression: str, facts: Facts) -> bool:
    """
    Raises:
        ConditionFailed: It cannot be evaluated, or gives neither true nor false.
    """
    return truth(expression, value(expression, facts))


def truth(expression: str, result: Json) -> bool:
    """What an expression gave, as an answer to a question.

    Raises:
        ConditionFailed: It is neither true nor false.
    """
    if not isinstance(result, bool):
        raise _failed(expression, f"It gives {kind_of(result)}; true or false is needed.")
    return result


def items(expression: str, facts: Facts) -> list[Json]:
    """
    Raises:
        ConditionFailed: It cannot be evaluated, or gives no list, or one of too many items.
    """
    result = value(expression, facts)
    if not isinstance(result, list):
        raise _failed(expression, f"It gives {kind_of(result)}; a list is needed.")
    if len(result) > MAX_ITEMS:
        raise _failed(
            expression,
            f"It gives {len(result):,} items; a `for_each` takes {MAX_ITEMS:,}. Let the skill before it"
            " give fewer, or give them in groups.",
        )
    return result


def value(expression: str, facts: Facts) -> Json:
    """
    Raises:
        ConditionFailed: It cannot be evaluated, would cost too much, or gives something that is no JSON.
    """
    return evaluated(expression, _document(facts))


def evaluated(expression: str, roots: Mapping[str, Json], max_cost: int = cost.MAX_COST) -> Json:
    """What an expression gives over any names.

    Raises:
        ConditionFailed: It cannot be evaluated, would cost too much, or gives something that is no JSON.
    """
    program, read = compiled(expression)
    context = {
        name: _picked(branch, roots[name]) for name, branch in _tree(read).items() if name in roots
    }
    try:
        cost.refuse_above_limit(parse(expression), context, max_cost)
    except cost.TooDear as problem:
        raise _failed(expression, str(problem)) from None
    try:
        return _plain(program.execute(context))
    except _NotJson as problem:
        raise _failed(expression, str(problem)) from None
    # These, and no others, are what the library was seen to raise in an evaluation.
    except (LookupError, ArithmeticError, TypeError, ValueError, RuntimeError) as problem:
        raise _failed(expression, _missing(problem, read, context) or _why(problem)) from None


def kind_of(value: Json) -> str:
    """What a value is, in the words of JSON."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


@lru_cache(maxsize=1_000)
def compiled(expression: str) -> tuple["cel.Program", tuple[Path, ...]]:
    """An expression ready to be evaluated, and what it reads.

    Raises:
        ConditionFailed: It is not an expression, or one that plans cannot use.
    """
    if len(expression) > MAX_LENGTH:
        raise _failed(expression, f"It is longer than {MAX_LENGTH} characters.")
    import cel  # 0.16 s, and most processes evaluate nothing

    try:
        read = tuple(paths(parse(expression)))
        return cel.compile(expression), read
    except SyntaxProblem as problem:
        raise _failed(expression, str(problem)) from None
    except ValueError:
        raise _failed(expression, "It cannot be read as CEL.") from None


def _document(facts: Facts) -> dict[str, Json]:
    steps = {
        name: {"output": step.output, "status": step.status, "error": step.error}
        for name, step in facts.steps.items()
    }
    of_item = {} if facts.index is None else {"item": facts.item, "index": facts.index}
    return {"input": facts.input, "steps": steps, **of_item}


_Tree = dict[str, "_Tree"]


def _tree(read: tuple[Path, ...]) -> _Tree:
    """Paths laid over each other. An empty tree stands for all there is, and swallows longer paths."""
    tree: _Tree = {}
    whole: set[Path] = set()
    for path in sorted(read, key=len):
        if any(path[: len(prefix)] == prefix for prefix in whole):
            continue
        whole.add(path)
        branch = tree
        for name in path:
            branch = branch.setdefault(name, {})
    return tree


def _picked(tree: _Tree, value: Json) -> Any:
    if not tree or not isinstance(value, dict):
        return value
    return {name: _picked(branch, value[name]) for name, branch in tree.items() if name in value}


class _NotJson(Exception):
    pass


def _plain(value: Any) -> Json:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise _NotJson("It gives a number that is infinite, or none at all.")
            return value
        case list():
            return [_plain(item) for item in value]
        case dict():
            if all(isinstance(key, str) for key in value):
                # The library keeps no order, and what a skill is given has to be the same each time.
                return {key: _plain(value[key]) for key in sorted(value)}
            raise _NotJson("It gives an object with keys that are no strings.")
        case _:
            raise _NotJson(
                f"It gives a {type(value).__name__}, which JSON does not know; string(...) makes text of it."
            )


def _missing(problem: Exception, read: tuple[Path, ...], context: Mapping[str, Json]) -> str:
    """What an expression reads and what is not there, as a sentence; empty if that is not the problem."""
    for path in read:
        here: Json = dict(context)
        for place, name in enumerate(path):
            if isinstance(here, dict) and name in here:
                here = here[name]
                continue
            if isinstance(here, dict) and place and problem.args == (name,):
                return _absent(path[: place + 1])
            if isinstance(here, dict) and not place and isinstance(problem, RuntimeError):
                return f"There is no `{name}` here."
            if not isinstance(here, dict) and str(problem).startswith(_NO_SUCH_USE):
                above = written(path[:place])
                return f"`{above}` is {kind_of(here)}, so it has no {name!r}."
            break
    return ""


def _absent(path: Path) -> str:
    *above, name = path
    if above == ["steps"]:
        return f"There is no step {name!r}."
    return f"`{written(tuple(above))}` has no {name!r}; has({written(path)}) asks first."


def _why(problem: Exception) -> str:
    match problem:
        case IndexError():
            return "It asks for an item that the list does not have."
        case KeyError():
            return "It asks for a field that is not there. has() asks first."
        case ZeroDivisionError():
            return "It divides by zero."
        case OverflowError():
            return "A number in it becomes too large."
        case TypeError() if str(problem).startswith(_NO_SUCH_SUM):
            kinds = str(problem).removeprefix(_NO_SUCH_SUM).partition(".")[0]
            return f"CEL has no {kinds}. Between numbers, write 1.5 + double(1)."
        case TypeError():
            return "It uses a value as something that it is not."
        case _:
            return "A function in it cannot be used on what it was given."


def _failed(expression: str, why: str) -> ConditionFailed:
    return ConditionFailed(expression, why)
