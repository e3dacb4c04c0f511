"""Expressions as trees, and what can be seen in one."""

from collections.abc import Iterator
from dataclasses import dataclass

from omniforge.journal.steps import Json


@dataclass(frozen=True, slots=True)
class Constant:
    value: Json


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`of.field`, and `has(of.field)` as `is_test`."""

    of: "Expression"
    field: str
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    of: "Expression"
    key: "Expression"


@dataclass(frozen=True, slots=True)
class Operation:
    operator: str
    operands: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A method's own value is its first argument."""

    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    entries: tuple[tuple["Expression", "Expression"], ...]


@dataclass(frozen=True, slots=True)
class Macro:
    kind: str
    over: "Expression"
    variable: str
    body: tuple["Expression", ...]


Expression = Constant | Name | Select | Index | Operation | Call | ListOf | MapOf | Macro

Path = tuple[str, ...]
"""A name and the fields under it, as far as they are written out: `steps.find.output`."""


def children(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case Select(of):
            return (of,)
        case Index(of, key):
            return (of, key)
        case Operation(_, parts) | Call(_, parts) | ListOf(parts):
            return parts
        case MapOf(entries):
            return tuple(part for entry in entries for part in entry)
        case Macro(_, over, _, body):
            return (over, *body)
        case Constant() | Name():
            return ()


def path_of(expression: Expression) -> Path | None:
    """The path that an expression is; None when it is anything else."""
    fields: list[str] = []
    while True:
        match expression:
            case Select(of, field):
                fields.append(field)
                expression = of
            case Index(of, Constant(str(field))):
                fields.append(field)
                expression = of
            case Name(name):
                return (name, *reversed(fields))
            case _:
                return None


def paths(expression: Expression, bound: frozenset[str] = frozenset()) -> Iterator[Path]:
    """What an expression reads, in the order in which it is written; names of macros left out."""
    path = path_of(expression)
    if path is not None:
        if path[0] not in bound:
            yield path
        return
    inner = bound
    if isinstance(expression, Macro):
        yield from paths(expression.over, bound)
        inner = bound | {expression.variable}
    for part in expression.body if isinstance(expression, Macro) else children(expression):
        yield from paths(part, inner)


def written(path: Path) -> str:
    """A path as one writes it."""
    first, *rest = path or ("",)
    return first + "".join(f".{name}" if name.isidentifier() else f'["{name}"]' for name in rest)
