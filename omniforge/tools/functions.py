"""Tools that are one function: with a spec written by hand, or read off a typed signature."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import to_jsonable_python

from omniforge.errors import ToolInvalid, TryAgain
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.protocol import ToolCallContext, ToolSpec

Run = Callable[[Mapping[str, Any], ToolCallContext], Awaitable[Json]]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A spec and the function that does the work; every call has the effect class of the spec."""

    spec: ToolSpec
    function: Run

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return self.spec.effect

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        return await self.function(arguments, context)


@overload
def tool(function: Callable[P, R], /) -> FunctionTool: ...


@overload
def tool(
    *,
    name: str = "",
    effect: EffectClass | str = EffectClass.ASK,
    timeout_s: float = 30,
    key_lifetime: timedelta | None = None,
    writes_workspace: bool = False,
    is_outside: bool = False,
) -> Callable[[Callable[P, R]], FunctionTool]: ...


def tool(function: Callable[..., Any] | None = None, /, **rules: Any) -> Any:
    """Make a tool of a function with a typed signature.

    Its name and docstring become the tool's, its parameters the JSON schema (describe one with
    `Annotated[str, Field(description=...)]`), its result is turned into JSON. A parameter of type
    `ToolCallContext` is filled in and not shown to the model. A function that is not async runs in a
    thread.

    A function that changes nothing outside says so with `effect="read"`; one that sends
    `context.effect_id` as its idempotency key is `effect="keyed"` (with `key_lifetime`). Any other is
    taken for one that cannot be repeated. It raises `TryAgain` for what the model can mend, and
    `OutcomeUnknown` when it cannot tell whether it did it.

    Raises:
        ToolInvalid: A parameter has no type, or one that JSON cannot carry; there is no docstring.
    """
    return _tool(function) if function is not None else lambda found: _tool(found, **rules)


def _tool(
    function: Callable[..., Any],
    *,
    name: str = "",
    effect: EffectClass | str = EffectClass.ASK,
    timeout_s: float = 30,
    **rules: Any,
) -> FunctionTool:
    described = inspect.getdoc(function)
    name = name or getattr(function, "__name__", "")
    if not described:
        raise ToolInvalid(f"Tool {name!r} needs a docstring: it is what the model is told of it.")
    signature = _Signature(name, function)
    spec = ToolSpec(
        name=name,
        description=described,
        parameters=signature.schema,
        effect=EffectClass(effect),
        timeout=timedelta(seconds=timeout_s),
        **rules,
    )
    return FunctionTool(spec, signature.call)


class _Signature:
    """A function's parameters as a model that checks and converts what a call brings."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._function = function
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {}
        self._context: str | None = None
        for parameter in inspect.signature(function).parameters.values():
            if hints.get(parameter.name) is ToolCallContext:
                self._context = parameter.name
            else:
                fields[parameter.name] = _field(name, parameter, hints)
        try:
            self._model: type[BaseModel] = create_model(
                name, __config__=ConfigDict(extra="forbid"), **fields
            )
            self.schema = self._model.model_json_schema()
        except (PydanticSchemaGenerationError, PydanticUserError, NameError) as error:
            raise ToolInvalid(f"Tool {name!r}: {error}") from error

    async def call(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        try:
            checked = self._model.model_validate(dict(arguments))
        except ValidationError as error:
            raise TryAgain(_said(error)) from error
        given = {field: getattr(checked, field) for field in type(checked).model_fields}
        if self._context is not None:
            given[self._context] = context
        if inspect.iscoroutinefunction(self._function):
            return to_jsonable_python(await self._function(**given))
        return to_jsonable_python(await asyncio.to_thread(self._function, **given))


def _field(name: str, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> tuple[Any, Any]:
    if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        raise ToolInvalid(f"Tool {name!r}: parameter {parameter.name!r} cannot be given by name.")
    if parameter.name not in hints:
        raise ToolInvalid(f"Tool {name!r}: parameter {parameter.name!r} needs a type.")
    is_required = parameter.default is parameter.empty
    return hints[parameter.name], ... if is_required else parameter.default


def _said(error: ValidationError) -> str:
    problems = (
        f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
        for one in error.errors(include_url=False, include_input=False)
    )
    return f"The arguments do not fit: {'; '.join(problems)}."
