"""The contracts of the table tools."""

from datetime import timedelta

from omniforge.journal.steps import EffectClass
from omniforge.tools.parameters import Schema, described, parameters, several, text, whole
from omniforge.tools.protocol import ToolSpec
from omniforge.tools.tables.filters import Op
from omniforge.tools.tables.grouping import Figure
from omniforge.tools.tables.joining import How
from omniforge.tools.tables.querying import Derived
from omniforge.tools.tables.roles import Role

PREVIEW_ROWS = 50

_TIMEOUT = timedelta(seconds=60)
_PATH = text("A CSV or JSON file of the workspace.")
_TODAY = text(
    "The day that 'today' means, as YYYY-MM-DD. Without it: the current date in UTC. Pass it when the"
    " task names a day."
)
_SAVE_AS = text("Also save the whole result as this file; the name ends in .csv or .json.")
_OPTIONAL_NAME: Schema = {"type": ["string", "null"]}
_COLUMN = described(_OPTIONAL_NAME, "The column to look at.")
_SORT = several(
    "Columns to sort by, the most important first; '-Due' sorts by Due in descending order. Dates and"
    " numbers sort as such; empty cells come last.",
    _OPTIONAL_NAME,
)
_LIMIT = whole("Keep only this many rows, after sorting.", 1, 1_000_000)
_COLUMNS = several("Columns to keep, in this order. Without it: all of them.", _OPTIONAL_NAME)
_CONDITION = parameters(
    required=["op"],
    column=_COLUMN,
    op=text(
        "eq, ne, in, contains ignore case and outer spaces. lt, le, gt, ge compare numbers, dates or"
        " texts, as the value is one. before, after, on compare days. is_done and is_open judge a"
        " status (done, closed, resolved, cancelled, erledigt, ... are done; anything else, also an"
        " empty cell, is open). empty and not_empty take no value.",
        enum=[str(op) for op in Op],
    ),
    value={
        "description": (
            "What to compare with: a text or number; a list for in; a day (YYYY-MM-DD, today,"
            " today+7d, today-2w, today-1m, today-1y) for before, after, on; for is_done and is_open"
            " a list of further words that mean done."
        )
    },
    optional={
        "type": "boolean",
        "description": "Leave the condition out, with a note, when its column is null or empty.",
    },
)
_WHERE = several("Conditions that a row must meet, all of them.", _CONDITION)
_ADDITION = parameters(
    required=["column", "from", "as"],
    column=text("Name of the new column."),
    from_=text("The column of dates that it is made of."),
    as_=text(
        "date: YYYY-MM-DD. week: ISO week such as 2026-W46. month: YYYY-MM. days_since and"
        " days_until: whole days between the date and today.",
        enum=[str(each) for each in Derived],
    ),
)
_AGGREGATE = parameters(
    required=["fn"],
    fn=text("The figure.", enum=[str(figure) for figure in Figure]),
    column=described(_OPTIONAL_NAME, "Of which column; count without one counts rows."),
    as_=text("Name of the figure in the answer, such as 'Open tasks'."),
)

COLUMNS = ToolSpec(
    name="table_columns",
    description=(
        "Find out which column of a task list is the title, the due date, the status, the assignee and"
        " the project, by names (English and German) and values. The answer's roles map each of them"
        " to a column name or null. Use it before working on a file whose columns you do not know."
    ),
    parameters=parameters(
        required=["path"],
        path=_PATH,
        given={
            "type": ["object", "null"],
            "description": "Column names that are already known, by role; empty ones are guessed.",
            "properties": {str(role): _OPTIONAL_NAME for role in Role},
            "additionalProperties": False,
        },
        required_=several(
            "Roles that must be found; the call fails otherwise.",
            {"type": "string", "enum": [str(role) for role in Role]},
        ),
    ),
    timeout=_TIMEOUT,
    is_outside=True,
    effect=EffectClass.READ,
)
READ = ToolSpec(
    name="table_read",
    description=(
        "Look at a CSV or JSON file: columns with types and examples, number of rows, the first rows,"
        " and notes on anything odd about the file. Start here with data you do not know."
    ),
    parameters=parameters(
        required=["path"],
        path=_PATH,
        limit=whole("How many rows to show; 10 unless told.", 0, PREVIEW_ROWS),
    ),
    timeout=_TIMEOUT,
    is_outside=True,
    effect=EffectClass.READ,
)
QUERY = ToolSpec(
    name="table_query",
    description=(
        "Filter, sort and cut the rows of a CSV or JSON file, and add columns made of dates. Order of"
        " work: add, where, sort_by, limit, select. Dates are understood in many formats, also mixed."
        f" The answer shows at most {PREVIEW_ROWS} rows; use save_as to keep all of them. total_rows"
        " counts the file's rows, matched_rows those that meet where, row_count those in the result."
        " Read the notes: they tell what could not be read."
    ),
    parameters=parameters(
        required=["path"],
        path=_PATH,
        add=several("Columns to add before filtering.", _ADDITION),
        where=_WHERE,
        sort_by=_SORT,
        limit=_LIMIT,
        select=_COLUMNS,
        save_as=_SAVE_AS,
        today=_TODAY,
    ),
    writes_workspace=True,
    timeout=_TIMEOUT,
    is_outside=True,
    effect=EffectClass.READ,
)
GROUP = ToolSpec(
    name="table_group",
    description=(
        "Count and sum the rows of a CSV or JSON file by the values of columns. The answer's markdown"
        " is a ready table. Case and spaces do not part groups; empty cells form the group (none)."
    ),
    parameters=parameters(
        required=["path", "by"],
        path=_PATH,
        by=several(
            "Columns to group by. An empty list makes one group of all rows.", _OPTIONAL_NAME
        ),
        aggregates=several("Figures about each group; the number of rows unless told.", _AGGREGATE),
        where=_WHERE,
        sort_by=described(_SORT, "Columns of the answer to sort by, such as ['-count']."),
        limit=_LIMIT,
        save_as=_SAVE_AS,
        today=_TODAY,
    ),
    writes_workspace=True,
    timeout=_TIMEOUT,
    is_outside=True,
    effect=EffectClass.READ,
)
JOIN = ToolSpec(
    name="table_join",
    description=(
        "Put the columns of two CSV or JSON files side by side where key columns are equal. Keys match"
        " across types, case and spaces."
    ),
    parameters=parameters(
        required=["left", "right", "on"],
        left=text("The first file; all of its columns come first."),
        right=text("The second file; its key columns are not repeated."),
        on=several(
            "Key columns: a name that both files have, or an object for names that differ.",
            {
                "anyOf": [
                    {"type": "string"},
                    parameters(
                        required=["left", "right"],
                        left=text("The column in the first file."),
                        right=text("The column in the second file."),
                    ),
                ]
            },
            minItems=1,
        ),
        how=text(
            "inner (the default) keeps rows with a match; left keeps all rows of the first file.",
            enum=[str(how) for how in How],
        ),
        save_as=_SAVE_AS,
    ),
    writes_workspace=True,
    timeout=_TIMEOUT,
    is_outside=True,
    effect=EffectClass.READ,
)
MARKDOWN = ToolSpec(
    name="table_markdown",
    description=(
        "Write rows of a CSV or JSON file as a Markdown table for a report, with chosen columns."
    ),
    parameters=parameters(
        required=["path"],
        path=_PATH,
        columns=_COLUMNS,
        sort_by=_SORT,
        limit=whole("How many rows at most; 50 unless told.", 1, 1_000),
    ),
    timeout=_TIMEOUT,
    is_outside=True,
    effect=EffectClass.READ,
)
