"""Small functions, small modules, small folders: more is explained or split."""

import ast
from collections import Counter
from collections.abc import Iterator

from tests.architecture.allowed import SIZES
from tests.architecture.source import PRODUCT, Function, Module, modules

MAX_FUNCTION = 45
MAX_TEST = 60
MAX_MODULE = 400
MAX_ARGUMENTS = 7
MAX_FOLDER = 12


def test_what_is_large_has_a_reason() -> None:
    found = dict(all_large())

    unexplained = [f"{where}: {what}" for where, what in found.items() if where not in SIZES]

    assert unexplained == [], "split it by noun, or explain it in tests/architecture/allowed.py"


def test_no_reason_has_outlived_its_cause() -> None:
    assert set(SIZES) - set(dict(all_large())) == set()


def all_large() -> Iterator[tuple[str, str]]:
    """Where it is and what is too much of it."""
    for module in modules(*PRODUCT, "tests"):
        yield from large_module(module)
        yield from large_functions(module)
    yield from large_folders()


def large_module(module: Module) -> Iterator[tuple[str, str]]:
    lines = len(module.text.splitlines())
    if lines > MAX_MODULE:
        yield module.path, f"{lines} lines, {MAX_MODULE} are the limit"


def large_functions(module: Module) -> Iterator[tuple[str, str]]:
    for function in module.functions():
        where = f"{module.path}:{function.name}"
        is_test = module.path.startswith("tests/") and function.name.startswith("test_")
        limit = MAX_TEST if is_test else MAX_FUNCTION
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > limit:
            yield where, f"{lines} lines, {limit} are the limit"
        if (count := arguments_of(function)) > MAX_ARGUMENTS:
            yield where, f"{count} arguments, {MAX_ARGUMENTS} are the limit"


def arguments_of(function: Function) -> int:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return len([each for each in named if each.arg not in {"self", "cls"}])


def large_folders() -> Iterator[tuple[str, str]]:
    """Of the product alone: the folders of the tests mirror them."""
    paths = [module.path for module in modules(*PRODUCT)]
    inside = Counter(
        path.rpartition("/")[0]
        for path in paths
        if not path.endswith(("__init__.py", "__main__.py"))
    )
    for folder, count in inside.items():
        if count > MAX_FOLDER:
            yield folder, f"{count} modules, {MAX_FOLDER} are the limit"


def test_a_long_function_would_be_found() -> None:
    body = "\n".join(f"    x{n} = {n}" for n in range(MAX_FUNCTION))
    module = Module("omniforge/long.py", f"def long(a, b, c, d, e, f, g, h):\n{body}\n")

    assert [what.split()[1] for _, what in large_functions(module)] == ["lines,", "arguments,"]
    assert isinstance(module.tree, ast.Module)
