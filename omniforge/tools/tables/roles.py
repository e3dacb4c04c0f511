"""Which column of a task list is the title, the due date, the status, the assignee, the project."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from omniforge.errors import TryAgain
from omniforge.tools.tables.profile import Kind, Profile, profile
from omniforge.tools.tables.statuses import is_status, words_of
from omniforge.tools.tables.table import Cell, Table, folded, is_empty
from omniforge.tools.wording import listed


class Role(StrEnum):
    TITLE = "title"
    DUE = "due"
    STATUS = "status"
    ASSIGNEE = "assignee"
    PROJECT = "project"


# From the plainest name to the ones that only hint; the earlier, the stronger.
_NAMES: Mapping[Role, Sequence[str]] = {
    Role.TITLE: (
        "title", "task", "summary", "subject", "task name", "titel", "aufgabe", "betreff", "vorgang",
        "name", "issue", "ticket", "item", "todo", "to do", "bezeichnung", "thema", "description",
        "beschreibung",
    ),
    Role.DUE: (
        "due", "due date", "deadline", "due on", "due by", "fällig", "fällig am", "fälligkeit",
        "fälligkeitsdatum", "faellig", "faellig am", "frist", "zieldatum", "termin", "target date",
        "end date", "enddatum", "bis", "finish", "date", "datum",
    ),
    Role.STATUS: ("status", "state", "zustand", "stand", "progress", "fortschritt", "stage", "phase", "done",
                  "erledigt"),
    Role.ASSIGNEE: (
        "assignee", "assigned to", "assigned", "owner", "responsible", "zuständig", "zugewiesen an",
        "zugewiesen", "verantwortlich", "verantwortliche", "verantwortlicher", "bearbeiter",
        "bearbeiterin", "person", "who", "wer", "mitarbeiter", "contact",
    ),
    Role.PROJECT: (
        "project", "projekt", "project name", "team", "area", "bereich", "epic", "board", "list",
        "liste", "category", "kategorie", "component", "department", "abteilung", "gruppe", "group",
    ),
}  # fmt: skip
_OTHER_DATES_TEXT = """
    created updated modified changed opened closed completed resolved finished started start
    begin erstellt geändert aktualisiert angelegt erledigt abgeschlossen beginn von
"""
_OTHER_DATES = frozenset(_OTHER_DATES_TEXT.split())


@dataclass(frozen=True, slots=True)
class Roles:
    """The column of each role, or None, and what a reader should know of the choice."""

    columns: Mapping[Role, str | None]
    notes: tuple[str, ...]


def find_roles(table: Table, given: Mapping[str, str | None]) -> Roles:
    """Tell the columns apart by their names (English and German) and their values.

    `given` names columns for roles and wins; empty entries are as good as none.

    Raises:
        TryAgain: A given column does not exist.
    """
    chosen: dict[Role, str | None] = {
        Role(role): table.columns[table.index(name)] for role, name in given.items() if name
    }
    profiles = [profile(name, table.cells(name)) for name in table.columns]
    scores = sorted(_scores(table, profiles, chosen), key=lambda score: -score[0])
    notes = []
    for points, role, name in scores:
        if role not in chosen and name not in chosen.values():
            chosen[role] = name
            if points < _BY_NAME:
                notes.append(f"{name!r} was taken as {role} because of its values, not its name.")
    missing = [role for role in Role if role not in chosen]
    if missing:
        notes.append(f"No column was found for: {listed(missing)}.")
    return Roles({role: chosen.get(role) for role in Role}, tuple(notes))


_BY_NAME = 100


def _scores(
    table: Table, profiles: Iterable[Profile], chosen: Mapping[Role, str | None]
) -> Iterable[tuple[int, Role, str]]:
    for column in profiles:
        for role in Role:
            if role not in chosen and (points := _points(table, column, role)):
                yield points, role, column.name


def _points(table: Table, column: Profile, role: Role) -> int:
    """How well a column suits a role: by its name from 100 up, else by its values, else not at all."""
    by_name = _points_by_name(column.name, role)
    fits = _fits(table, column, role)
    if by_name:
        return by_name + (10 if fits else -60)
    return {Role.DUE: 50, Role.STATUS: 50, Role.TITLE: 20}.get(role, 0) if fits else 0


def _points_by_name(name: str, role: Role) -> int:
    wanted, words = folded(name), words_of(folded(name))
    if role is Role.DUE and _OTHER_DATES.intersection(words):
        return 0
    for place, known in enumerate(_NAMES[role]):
        if wanted in {known, known.replace(" ", "_"), known.replace(" ", "")}:
            return 200 - place
    for place, known in enumerate(_NAMES[role]):
        if set(known.split()) <= set(words):
            return 150 - place
    return 0


def _fits(table: Table, column: Profile, role: Role) -> bool:
    if role is Role.DUE:
        is_other = _OTHER_DATES.intersection(words_of(folded(column.name)))
        return column.kind is Kind.DATE and not is_other
    if role is Role.STATUS:
        return _status_share(table.cells(column.name)) >= 0.5
    if role is Role.TITLE:
        return column.kind is Kind.TEXT and column.distinct * 2 > column.filled
    return column.kind in {Kind.TEXT, Kind.EMPTY} and column.distinct <= max(20, column.filled // 2)


def _status_share(cells: Sequence[Cell]) -> float:
    filled = [cell for cell in cells if not is_empty(cell)]
    return sum(map(is_status, filled)) / len(filled) if filled else 0.0


def required(roles: Roles, wanted: Iterable[str], table: Table) -> None:
    """Insist on some roles.

    Raises:
        TryAgain: One of them has no column.
    """
    missing = [role for role in wanted if roles.columns[Role(role)] is None]
    if missing:
        raise TryAgain(
            f"No column was recognised as {listed(missing)}. Name it in `given`."
            f" The columns are: {listed(table.columns, 50)}."
        )
