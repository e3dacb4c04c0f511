"""What kind of value an expression gives, as far as it is sure before anything has run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omniforge.execution.plans.tree import (
    Call,
    Constant,
    Expression,
    Index,
    ListOf,
    Macro,
    MapOf,
    Name,
    Operation,
    Select,
)

# Deeper parts of a schema are taken for anything.
_SCHEMA_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind in the words of CEL. `number` is an int or a double, as JSON has it, and `any` is not known.

    An object whose `fields` are known has no others.
    """

    kind: str
    each: "Shape | None" = None
    fields: "Mapping[str, Shape] | None" = None

    def __str__(self) -> str:
        return _WORDS.get(self.kind, f"a {self.kind}")


_WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "double": "a number with a fraction",
    "string": "text",
    "object": "an object",
    "null": "null",
}

ANY, NULL, BOOL, STRING = Shape("any"), Shape("null"), Shape("bool"), Shape("string")
INT, DOUBLE, NUMBER = Shape("int"), Shape("double"), Shape("number")
_OF_TYPE = {"null": NULL, "boolean": BOOL, "string": STRING, "integer": INT, "number": NUMBER}
_NUMBERS = {"int", "double", "number"}


def list_of(each: Shape) -> Shape:
    return Shape("list", each=each)


def object_of(fields: Mapping[str, Shape] | None) -> Shape:
    return Shape("object", fields=fields)


def of_schema(schema: Any, depth: int = _SCHEMA_DEPTH) -> Shape:
    """The shape of what fits a JSON schema. What it declares is all that others may rely on."""
    if not isinstance(schema, dict) or not depth:
        return ANY
    kind = schema.get("type")
    if kind == "array":
        return list_of(of_schema(schema.get("items"), depth - 1))
    if kind == "object":
        return _object(schema, depth)
    return _OF_TYPE.get(kind, ANY) if isinstance(kind, str) else ANY


def _object(schema: Mapping[str, Any], depth: int) -> Shape:
    properties = schema.get("properties")
    combining = {"allOf", "anyOf", "oneOf", "if", "$ref", "patternProperties"} & set(schema)
    if not isinstance(properties, dict) or combining or schema.get("additionalProperties"):
        return object_of(None)
    return object_of({name: of_schema(part, depth - 1) for name, part in properties.items()})


class Shapes:
    """Infers shapes and keeps what is certain to go wrong, in sentences."""

    def __init__(self, names: Mapping[str, Shape]) -> None:
        self._names = names
        self.problems: list[str] = []

    def of(self, expression: Expression) -> Shape:
        match expression:
            case Constant(value):
                return _of_constant(value)
            case Name(name):
                return self._names.get(name, ANY)
            case Select(of, field, is_test):
                return self._field(expression, self.of(of), field, is_test)
            case Index(of, key):
                return self._item(expression, self.of(of), key)
            case ListOf(items):
                return list_of(_common(self.of(item) for item in items))
            case MapOf(entries):
                return self._map(entries)
            case Macro():
                return self._macro(expression)
            case Call(function, arguments):
                return self._call(function, [self.of(part) for part in arguments])
            case Operation(operator, operands):
                return self._operation(operator, [self.of(part) for part in operands])

    # ---- parts of values ---------------------------------------------------------------------

    def _field(self, whole: Expression, of: Shape, field: str, is_test: bool) -> Shape:
        if of.kind not in ("object", "any"):
            self._say(f"`{_written(whole)}` asks {of} for a field.")
            return ANY
        if is_test:
            return BOOL
        if of.fields is None:
            return ANY
        if field not in of.fields:
            known = ", ".join(sorted(of.fields)) or "none"
            self._say(f"`{_written(whole)}` does not exist; the fields there are: {known}.")
            return ANY
        return of.fields[field]

    def _item(self, whole: Expression, of: Shape, key: Expression) -> Shape:
        at = self.of(key)
        if isinstance(key, Constant) and isinstance(key.value, str) and of.kind != "list":
            return self._field(whole, of, key.value, is_test=False)
        if of.kind == "list":
            if at.kind not in (*_NUMBERS, "any"):
                self._say(f"`{_written(whole)}` asks a list for {at}; its items have numbers.")
            return of.each or ANY
        if of.kind not in ("object", "any"):
            self._say(f"`{_written(whole)}` asks {of} for a part.")
        return ANY

    def _map(self, entries: tuple[tuple[Expression, Expression], ...]) -> Shape:
        fields: dict[str, Shape] = {}
        is_known = True
        for key, value in entries:
            kind, shape = self.of(key), self.of(value)
            if kind.kind not in ("string", "any"):
                self._say(f"An object's keys have to be text; here is {kind}.")
            if isinstance(key, Constant) and isinstance(key.value, str):
                fields[key.value] = shape
            else:
                is_known = False
        return object_of(fields if is_known else None)

    def _macro(self, macro: Macro) -> Shape:
        over = self.of(macro.over)
        if over.kind not in ("list", "object", "any"):
            self._say(f".{macro.kind}() goes over a list; here is {over}.")
        each = STRING if over.kind == "object" else over.each or ANY
        inside = Shapes({**self._names, macro.variable: each})
        inside.problems = self.problems
        *conditions, last = (inside.of(part) for part in macro.body)
        if macro.kind != "map":
            conditions.append(last)
        for condition in conditions:
            self._needs_truth(condition, f".{macro.kind}()")
        if macro.kind == "map":
            return list_of(last)
        return list_of(each) if macro.kind == "filter" else BOOL

    # ---- what is done with them --------------------------------------------------------------

    def _call(self, function: str, given: list[Shape]) -> Shape:
        takes, result = _FUNCTIONS.get(function, _GETTER)
        if len(given) != len(takes):
            self._say(f"{function}() takes {len(takes)}, here are {len(given)}.")
            return result
        for shape, kinds in zip(given, takes, strict=True):
            if shape.kind not in kinds | {"any"}:
                needed = " or ".join(str(Shape(kind)) for kind in sorted(kinds - {"number"}))
                self._say(f"{function}() needs {needed}; here is {shape}.")
        return result

    def _operation(self, operator: str, given: list[Shape]) -> Shape:
        match operator:
            case "?:":
                self._needs_truth(given[0], "`? :`")
                return _common(iter(given[1:]))
            case "&&" | "||" | "!":
                for shape in given:
                    self._needs_truth(shape, f"`{operator}`")
                return BOOL
            case "in":
                if given[1].kind not in ("list", "object", "any"):
                    self._say(f"`in` looks into a list or an object; here is {given[1]}.")
                return BOOL
            case "==" | "!=":
                if not _may_be_equal(*given):
                    self._say(f"`{operator}` compares {given[0]} with {given[1]}.")
                return BOOL
            case "<" | "<=" | ">" | ">=":
                self._refuse_unless(operator, given, _may_be_ordered(*given))
                return BOOL
            case _:
                return self._sum(operator, given)

    def _sum(self, operator: str, given: list[Shape]) -> Shape:
        kinds = {shape.kind for shape in given}
        if "any" in kinds or kinds & {"timestamp", "duration"}:
            return ANY
        if kinds <= _NUMBERS and kinds != {"int", "double"}:
            return given[0] if len(kinds) == 1 else NUMBER
        is_joined = operator == "+" and kinds in ({"string"}, {"list"})
        self._refuse_unless("-" if operator == "neg" else operator, given, is_joined)
        return given[0] if kinds == {"string"} else list_of(ANY) if kinds == {"list"} else ANY

    def _refuse_unless(self, operator: str, given: list[Shape], is_right: bool) -> None:
        if is_right:
            return
        kinds = " and ".join(str(shape) for shape in given)
        hint = ""
        if {shape.kind for shape in given} == {"int", "double"}:
            hint = " Write double(...) around the whole one."
        self._say(f"`{operator}` cannot be used on {kinds}.{hint}")

    def _needs_truth(self, shape: Shape, where: str) -> None:
        if shape.kind not in ("bool", "any"):
            self._say(f"{where} needs true or false; here is {shape}.")

    def _say(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


_TEXT, _NUMBER = frozenset({"string"}), frozenset(_NUMBERS)
_TIME, _DURATION = frozenset({"timestamp"}), frozenset({"duration"})
_SIZED = frozenset({"string", "list", "object"})
_FUNCTIONS: Mapping[str, tuple[tuple[frozenset[str], ...], Shape]] = {
    "size": ((_SIZED,), INT),
    "int": ((_TEXT | _NUMBER,), INT),
    "double": ((_TEXT | _NUMBER,), DOUBLE),
    "string": ((_TEXT | _NUMBER | _TIME | _DURATION,), STRING),
    "timestamp": ((_TEXT,), Shape("timestamp")),
    "duration": ((_TEXT,), Shape("duration")),
    **dict.fromkeys(("contains", "startsWith", "endsWith", "matches"), ((_TEXT, _TEXT), BOOL)),
}
_GETTER = ((_TIME | _DURATION,), INT)


def _of_constant(value: Any) -> Shape:
    if isinstance(value, bool):
        return BOOL
    kinds = {str: STRING, int: INT, float: DOUBLE}
    return NULL if value is None else kinds[type(value)]


def _common(shapes: Iterator[Shape]) -> Shape:
    every = list(shapes)
    return every[0] if every and all(shape == every[0] for shape in every) else ANY


def _may_be_equal(one: Shape, other: Shape) -> bool:
    kinds = {one.kind, other.kind}
    return len(kinds) == 1 or bool(kinds & {"any", "null"}) or kinds <= _NUMBERS


def _may_be_ordered(one: Shape, other: Shape) -> bool:
    kinds = {one.kind, other.kind}
    if "any" in kinds or kinds <= _NUMBERS:
        return True
    return len(kinds) == 1 and not kinds & {"list", "object", "null"}


def _written(expression: Expression) -> str:
    """A chain of fields as one writes it; what is no chain is an ellipsis."""
    match expression:
        case Name(name):
            return name
        case Select(of, field):
            return f"{_written(of)}.{field}"
        case Index(of, Constant(key)):
            return f'{_written(of)}["{key}"]' if isinstance(key, str) else f"{_written(of)}[{key}]"
        case _:
            return "…"
