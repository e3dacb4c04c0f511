"""Checking a call's arguments against a tool's JSON schema, in words that a model can act on."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from omniforge.errors import GaveUp, ToolInvalid, TryAgain
from omniforge.tools.wording import counted, listed, nearest, shown

MAX_PROBLEMS = 3
# A call with hundreds of wrong items says enough with the first few of them.
_ERRORS_LOOKED_AT = 50

_KINDS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class ArgumentSchema:
    """A tool's parameters, compiled once. References to other documents are never fetched."""

    def __init__(self, tool: str, parameters: Mapping[str, Any]) -> None:
        """Raises:
        ToolInvalid: The parameters are no JSON schema of an object.
        """
        self.parameters = parameters
        schema = dict(parameters)
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ToolInvalid(f"The schema of tool {tool!r} is broken: {error.message}") from error
        if schema.get("type") != "object":
            raise ToolInvalid(f"The schema of tool {tool!r} must be of type object.")
        self._tool, self._properties = tool, tuple(schema.get("properties", ()))
        self._validator = Draft202012Validator(schema, registry=Registry())

    def check(self, arguments: object) -> None:
        """Refuse arguments that break the schema.

        Raises:
            TryAgain: Up to three problems: which field, what was expected, what came.
            GaveUp: The schema refers to another document, so nobody can check it.
        """
        try:
            errors = list(islice(self._validator.iter_errors(arguments), _ERRORS_LOOKED_AT))
        except Unresolvable as error:
            raise GaveUp(
                f"The schema of {self._tool} refers to {error.ref}, which is not here."
            ) from error
        problems = list(dict.fromkeys(problem for error in errors for problem in _problems(error)))
        if problems:
            raise TryAgain(self._sentence(problems))

    def _sentence(self, problems: list[str]) -> str:
        rest = len(problems) - MAX_PROBLEMS
        more = f"; and {counted(rest, 'more problem')}" if rest > 0 else ""
        told = "; ".join(problems[:MAX_PROBLEMS])
        takes = f" It takes {listed(self._properties)}." if self._properties else ""
        return f"The arguments of {self._tool} do not fit: {told}{more}.{takes}"


def _problems(error: ValidationError) -> Iterator[str]:
    describe = _DESCRIPTIONS.get(str(error.validator), _as_the_validator_says)
    yield from describe(error)


def _field(error: ValidationError) -> str:
    path = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path
    )
    return repr(path.lstrip(".")) if path else "the arguments"


def _missing(error: ValidationError) -> Iterator[str]:
    inside = f" in {_field(error)}" if error.absolute_path else ""
    for name in _values(error):
        if name not in _instance(error):
            wanted = _expected(_properties(error).get(name))
            yield f"{name!r} is missing{inside}{f' ({wanted})' if wanted else ''}"


def _unknown(error: ValidationError) -> Iterator[str]:
    known, inside = _properties(error), f" in {_field(error)}" if error.absolute_path else ""
    patterns = _schema(error).get("patternProperties", {})
    for name in map(str, _instance(error)):
        if name not in known and not any(re.search(pattern, name) for pattern in patterns):
            yield f"{name!r} is not a field{inside}{_hint(name, known)}"


def _wrong_type(error: ValidationError) -> Iterator[str]:
    yield f"{_field(error)} must be {_expected(_schema(error))}, but is {shown(error.instance)}"


def _not_allowed(error: ValidationError) -> Iterator[str]:
    allowed = [str(value) for value in _values(error)]
    came = f"{shown(error.instance)}{_hint(str(error.instance), allowed)}"
    yield f"{_field(error)} must be one of {listed(allowed, 30)}, but is {came}"


def _no_alternative(error: ValidationError) -> Iterator[str]:
    expected = [_expected(each) for each in _values(error)]
    inner = error.context or ()
    is_about_types = all(len(each.path) == 0 and each.validator == "type" for each in inner)
    deepest = best_match(inner)
    if all(expected) and is_about_types:
        kinds = " or ".join(dict.fromkeys(expected))
        yield f"{_field(error)} must be {kinds}, but is {shown(error.instance)}"
    else:
        yield from _problems(deepest) if deepest else _as_the_validator_says(error)


def _as_the_validator_says(error: ValidationError) -> Iterator[str]:
    yield f"{_field(error)}: {shown(error.message, 160).strip(chr(34))}"


def _expected(schema: object) -> str:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    kinds = [kind] if isinstance(kind, str) else kind or []
    return " or ".join(_KINDS.get(each, each) for each in kinds)


def _hint(name: str, known: Iterable[str]) -> str:
    meant = nearest(name, known)
    return f" (did you mean {meant!r}?)" if meant else ""


def _schema(error: ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


def _properties(error: ValidationError) -> Mapping[str, Any]:
    properties = _schema(error).get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _instance(error: ValidationError) -> Mapping[str, Any]:
    return error.instance if isinstance(error.instance, Mapping) else {}


def _values(error: ValidationError) -> Sequence[Any]:
    return error.validator_value if isinstance(error.validator_value, list) else ()


_DESCRIPTIONS: Mapping[str, Callable[[ValidationError], Iterator[str]]] = {
    "required": _missing,
    "additionalProperties": _unknown,
    "type": _wrong_type,
    "enum": _not_allowed,
    "anyOf": _no_alternative,
    "oneOf": _no_alternative,
}
