"""Rows of tenants are selected, changed and deleted by repositories, which know one tenant alone."""

import ast
from collections.abc import Iterator

from omniforge.store.tables import metadata
from tests.architecture.allowed import UNSCOPED
from tests.architecture.source import PRODUCT, Module, modules
from tests.support.requirements import requirement

TENANT_TABLES = {name for name, table in metadata.tables.items() if "tenant_id" in table.columns}
QUERIES = {"select", "update", "delete"}
MODULE = "<module>"


@requirement("SEC-3")
def test_only_repositories_query_the_tables_of_tenants() -> None:
    found = {where for module in modules(*PRODUCT) for where in unscoped(module)}

    assert found - set(UNSCOPED) == set(), (
        "move the query into a Repository of omniforge/store, or say in"
        " tests/architecture/allowed.py why it looks past tenants"
    )


def test_no_exception_has_outlived_its_query() -> None:
    found = {where for module in modules(*PRODUCT) for where in unscoped(module)}

    assert set(UNSCOPED) - found == set()


def unscoped(module: Module) -> Iterator[str]:
    """`path:function` of each query on a tenant table that no repository makes."""
    scopes = Scopes(module.path.startswith("omniforge/store/"))
    scopes.visit(module.tree)
    return (f"{module.path}:{name}" for name in scopes.found)


class Scopes(ast.NodeVisitor):
    """Walks a module and remembers in which function it is, and which names stand for tables."""

    def __init__(self, is_store: bool) -> None:
        self.found: list[str] = []
        self._is_store = is_store
        self._function = MODULE
        self._is_method_of_repository = False
        self._tables = set(TENANT_TABLES)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
        outside = self._is_method_of_repository
        self._is_method_of_repository = self._is_store and "Repository" in bases
        self.generic_visit(node)
        self._is_method_of_repository = outside

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outside = self._function
        # What a closure does is done by the function that a reader would look for.
        self._function = node.name if outside == MODULE else outside
        self.generic_visit(node)
        self._function = outside

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Assign(self, node: ast.Assign) -> None:
        names = {each.id for each in node.targets if isinstance(each, ast.Name)}
        if isinstance(node.value, ast.Name | ast.Attribute) and self._names_table(node.value):
            self._tables |= names
        if self._function != MODULE:
            self.generic_visit(node)
        elif not (self._is_store and names_tenant(node.value)):
            # A statement built once goes by its name.
            self._function = next(iter(names), MODULE)
            self.generic_visit(node)
            self._function = MODULE

    def visit_Call(self, node: ast.Call) -> None:
        is_query = last_name(node.func) in QUERIES and any(map(self._names_table, node.args))
        if is_query and not self._is_method_of_repository:
            self.found.append(self._function)
        self.generic_visit(node)

    def _names_table(self, node: ast.AST) -> bool:
        return any(last_name(each) in self._tables for each in ast.walk(node))


def last_name(node: ast.AST) -> str:
    """`x` for `x`, and for `module.x` of the two modules that hold tables and statements."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="tables" | "sqlalchemy" | "sa"), attr=name):
            return name
    return ""


def names_tenant(statement: ast.expr) -> bool:
    """Whether a statement compares a table's `tenant_id`."""
    return any(
        isinstance(each, ast.Attribute) and each.attr == "tenant_id"
        for compared in ast.walk(statement)
        if isinstance(compared, ast.Compare)
        for each in ast.walk(compared)
    )


def test_every_table_of_runs_and_agents_belongs_to_tenants() -> None:
    assert {"agent_configs", "agent_executions", "steps", "events", "api_keys"} <= TENANT_TABLES


def test_a_query_is_found_under_another_name_in_a_closure_and_at_the_top() -> None:
    text = """
class Careful(Repository):
    def mine(self): return select(agent_configs)
class Careless:
    def leak(self):
        runs = tables.agent_executions.c
        def work(): return select(runs.id)
        return work
LEAK = sqlalchemy.update(steps).where(steps.c.number == 1)
OURS = select(steps).where(steps.c.tenant_id == bindparam("tenant"))
"""

    assert list(unscoped(Module("omniforge/store/x.py", text))) == [
        "omniforge/store/x.py:leak",
        "omniforge/store/x.py:LEAK",
    ]
    assert {"api/x.py:mine", "api/x.py:OURS"} < set(unscoped(Module("api/x.py", text)))
