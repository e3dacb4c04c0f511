"""An operator's own tools: the ones in the modules that the settings name."""

import importlib
from collections.abc import Iterable

from omniforge.errors import ToolInvalid
from omniforge.tools.functions import FunctionTool


def tools_of(modules: Iterable[str]) -> list[FunctionTool]:
    """All functions under `@tool` in these modules, which are importable by the worker.

    Raises:
        ToolInvalid: A module cannot be imported, or holds no tool.
    """
    return [tool for name in modules for tool in _tools_in(name)]


def _tools_in(name: str) -> list[FunctionTool]:
    try:
        module = importlib.import_module(name)
    except Exception as error:  # it is somebody's code: anything may happen when it is loaded
        raise ToolInvalid(
            f"OMNIFORGE_TOOLS names {name!r}, which cannot be imported: {type(error).__name__}: {error}"
        ) from error
    found = [value for value in vars(module).values() if isinstance(value, FunctionTool)]
    if not found:
        raise ToolInvalid(f"OMNIFORGE_TOOLS names {name!r}, which has no function under @tool.")
    return found
