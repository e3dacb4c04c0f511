"""CSV and JSON files of the workspace as tables: look, ask, group, join, show."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from omniforge import clock
from omniforge.errors import TryAgain
from omniforge.journal.steps import Json
from omniforge.tools.builtin import table_specs as specs
from omniforge.tools.functions import FunctionTool
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec
from omniforge.tools.tables.filters import Condition, keep_matching
from omniforge.tools.tables.grouping import Aggregate, Figure, group_rows
from omniforge.tools.tables.joining import How, join
from omniforge.tools.tables.profile import profile
from omniforge.tools.tables.querying import Addition, add_column, chosen_columns, cut, sort_rows
from omniforge.tools.tables.reading import read_table
from omniforge.tools.tables.roles import find_roles, required
from omniforge.tools.tables.table import Table
from omniforge.tools.tables.writing import encode_table, markdown, preview
from omniforge.tools.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a table tool made: its answer, and the file to save, if one was asked for."""

    answer: dict[str, Json]
    file: tuple[str, bytes] | None = None


Work = Callable[[Mapping[str, Any], Workspace], Outcome]


def table_tools() -> list[Tool]:
    return [
        _tool(specs.COLUMNS, _columns),
        _tool(specs.READ, _read),
        _tool(specs.QUERY, _query),
        _tool(specs.GROUP, _group),
        _tool(specs.JOIN, _join),
        _tool(specs.MARKDOWN, _markdown),
    ]


def _tool(spec: ToolSpec, work: Work) -> Tool:
    """Work in a thread, for large files. The file is written outside of it, so never after a time-out."""

    async def run(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        outcome = await asyncio.to_thread(work, arguments, context.workspace)
        if outcome.file is not None:
            context.workspace.write(*outcome.file)
        return outcome.answer

    return FunctionTool(spec, run)


def _columns(arguments: Mapping[str, Any], workspace: Workspace) -> Outcome:
    table = _table(workspace, arguments["path"])
    found = find_roles(table, arguments.get("given") or {})
    required(found, arguments.get("required", ()), table)
    return Outcome(
        {
            "roles": {str(role): column for role, column in found.columns.items()},
            "columns": list(table.columns),
            "row_count": len(table.rows),
            "notes": [*table.notes, *found.notes],
        }
    )


def _read(arguments: Mapping[str, Any], workspace: Workspace) -> Outcome:
    table = _table(workspace, arguments["path"])
    profiles = [profile(name, table.cells(name)).summary() for name in table.columns]
    rows = preview(table, int(arguments.get("limit", 10)))
    return Outcome(
        {
            "columns": profiles,
            "row_count": len(table.rows),
            "rows": rows,
            "notes": list(table.notes),
        }
    )


def _query(arguments: Mapping[str, Any], workspace: Workspace) -> Outcome:
    source, today = _table(workspace, arguments["path"]), _today(arguments)
    table = source
    for addition in arguments.get("add", ()):
        table = add_column(table, Addition.of(addition), today)
    matched = keep_matching(table, _where(arguments), today)
    kept = cut(sort_rows(matched, arguments.get("sort_by", ())), _limit(arguments))
    counts = {
        "total_rows": len(source.rows),
        "matched_rows": len(matched.rows),
        "today": today.isoformat(),
    }
    return _outcome(chosen_columns(kept, arguments.get("select", ())), arguments, counts)


def _group(arguments: Mapping[str, Any], workspace: Workspace) -> Outcome:
    table = keep_matching(
        _table(workspace, arguments["path"]), _where(arguments), _today(arguments)
    )
    wanted = arguments.get("aggregates") or [{"fn": Figure.COUNT}]
    grouped = group_rows(table, arguments["by"], [Aggregate.of(each) for each in wanted])
    shown = cut(sort_rows(grouped, arguments.get("sort_by", ())), _limit(arguments))
    more = {"total_rows": len(table.rows), "markdown": markdown(shown)}
    return _outcome(shown, arguments, more)


def _join(arguments: Mapping[str, Any], workspace: Workspace) -> Outcome:
    left, right = _table(workspace, arguments["left"]), _table(workspace, arguments["right"])
    pairs = [
        (on, on) if isinstance(on, str) else (on["left"], on["right"]) for on in arguments["on"]
    ]
    joined = join(left, right, pairs, How(arguments.get("how", How.INNER)))
    return _outcome(joined, arguments, {"total_rows": len(left.rows)})


def _markdown(arguments: Mapping[str, Any], workspace: Workspace) -> Outcome:
    table = _table(workspace, arguments["path"])
    shown = cut(sort_rows(table, arguments.get("sort_by", ())), int(arguments.get("limit", 50)))
    chosen = chosen_columns(shown, arguments.get("columns", ()))
    return Outcome(
        {"markdown": markdown(chosen), "row_count": len(chosen.rows), "notes": list(chosen.notes)}
    )


def _table(workspace: Workspace, path: str) -> Table:
    return read_table(path, workspace.read(path))


def _today(arguments: Mapping[str, Any]) -> date:
    given = arguments.get("today")
    if not given:
        return clock.now().date()
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise TryAgain(f"today must be a day as YYYY-MM-DD, but is {given!r}.") from error


def _where(arguments: Mapping[str, Any]) -> Sequence[Condition]:
    return [Condition.of(each) for each in arguments.get("where", ())]


def _limit(arguments: Mapping[str, Any]) -> int | None:
    limit = arguments.get("limit")
    return None if limit is None else int(limit)


def _outcome(table: Table, arguments: Mapping[str, Any], more: Mapping[str, Json]) -> Outcome:
    answer = {
        "columns": list(table.columns),
        "row_count": len(table.rows),
        **more,
        "rows": preview(table, specs.PREVIEW_ROWS),
        "notes": list(table.notes),
    }
    path = arguments.get("save_as")
    if not path:
        return Outcome(answer)
    return Outcome(answer | {"saved_as": path}, (path, encode_table(table, path)))
