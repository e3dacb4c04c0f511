"""Reading CSV as it really comes: any delimiter, quoted newlines, ragged rows, odd headers."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean

from omniforge.errors import TryAgain
from omniforge.tools.tables.table import Row, Table, unique_names
from omniforge.tools.wording import counted, listed, shown

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SAMPLE_CHARS = 65_536
_SAMPLE_RECORDS = 200
_MAX_COLUMNS = 1_000
# Lines of prose run to this many words; headers and cells of a one-column list rarely do.
_WORDS_OF_PROSE = 6


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one row and the line it ends on, counted from 1."""

    line: int
    fields: Sequence[str]


@dataclass(slots=True)
class _Oddities:
    short: list[int] = field(default_factory=list)
    long: list[int] = field(default_factory=list)
    blank: int = 0
    spaced: int = 0

    def notes(self, width: int) -> Iterator[str]:
        if self.short:
            yield f"{_lines(self.short)} had fewer than {width} values; the missing ones are empty."
        if self.long:
            yield f"{_lines(self.long)} had more than {width} values; what was left over is ignored."
        if self.blank:
            yield f"{counted(self.blank, 'row')} without any value left out."
        if self.spaced:
            yield f"Spaces around {counted(self.spaced, 'value')} were removed."


def table_from_csv(name: str, text: str) -> Table:
    """A table of a CSV text whose first row with values is the header.

    Raises:
        TryAgain: The text is no table.
    """
    text, delimiter = _declared_delimiter(text)
    delimiter = delimiter or _delimiter(text)
    records = list(_records(name, text, delimiter))
    if not records:
        raise TryAgain(f"{name} is empty: it has no header and no rows.")
    _refuse_prose(name, records)
    header, oddities = records[0], _Oddities()
    columns = unique_names(header.fields)
    if len(columns) > _MAX_COLUMNS:
        raise TryAgain(f"{name} has {len(columns)} columns; {_MAX_COLUMNS} are allowed.")
    rows = tuple(row for each in records[1:] if (row := _row(each, len(columns), oddities)))
    notes = [
        *_delimiter_notes(delimiter, len(columns)),
        *_header_notes(header.fields, columns),
        *oddities.notes(len(columns)),
        *_quote_notes(text, records),
    ]
    return Table(columns, rows).with_notes(notes)


def _declared_delimiter(text: str) -> tuple[str, str | None]:
    """Excel writes `sep=;` as a first line of its own."""
    first, _, rest = text.partition("\n")
    declared = first.strip().strip('"')
    if declared[:4].casefold() == "sep=" and declared[4:5] in _DELIMITERS:
        return rest, declared[4]
    return text, None


def _delimiter(text: str) -> str:
    sample = text[:_SAMPLE_CHARS]
    scores = {delimiter: _evenness(sample, delimiter) for delimiter in _DELIMITERS}
    return max(scores, key=lambda delimiter: scores[delimiter])


def _evenness(sample: str, delimiter: str) -> tuple[float, int]:
    """How much of a sample falls into rows of one width, and that width."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    widths: Counter[int] = Counter()
    try:
        for fields in reader:
            widths[len(fields)] += bool(fields)
            if widths.total() >= _SAMPLE_RECORDS:
                break
    except csv.Error:
        pass
    width, share = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    if width < 2:
        return 0.0, width
    return round(share / widths.total(), 1), width


def _records(name: str, text: str, delimiter: str) -> Iterator[Record]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for fields in reader:
            if fields:
                yield Record(reader.line_num, fields)
    except csv.Error as error:
        raise TryAgain(
            f"{name} cannot be read as CSV at line {reader.line_num}: {error}."
        ) from error


def _row(record: Record, width: int, oddities: _Oddities) -> Row | None:
    stripped = [value.strip() for value in record.fields]
    if not any(stripped):
        oddities.blank += 1
        return None
    oddities.spaced += sum(map(str.__ne__, stripped, record.fields))
    if len(stripped) < width:
        oddities.short.append(record.line)
    elif any(stripped[width:]):
        oddities.long.append(record.line)
    return tuple(stripped[:width] + [""] * (width - len(stripped)))


def _refuse_prose(name: str, records: Sequence[Record]) -> None:
    looked_at = records[:_SAMPLE_RECORDS]
    widths = Counter(len(record.fields) for record in looked_at)
    is_uneven = max(widths.values()) * 2 < len(looked_at)
    words = mean(len(" ".join(record.fields).split()) for record in looked_at)
    is_sentence = records[0].fields[-1].rstrip().endswith((".", "!", ":"))
    if words >= _WORDS_OF_PROSE and (is_uneven or is_sentence or set(widths) == {1}):
        opening = shown(" ".join(records[0].fields))
        raise TryAgain(f"{name} looks like plain text, not a table; it starts with {opening}.")


def _delimiter_notes(delimiter: str, width: int) -> Iterator[str]:
    if width == 1:
        yield "The file has one column only."
    elif delimiter != ",":
        yield f"The values are separated by {_DELIMITERS[delimiter]}."


def _header_notes(header: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    renamed = [new for old, new in zip(header, columns, strict=True) if old.strip() != new]
    if renamed:
        yield f"Blank or repeated column names were made unique: {listed(renamed, 10)}."


def _quote_notes(text: str, records: Sequence[Record]) -> Iterator[str]:
    last = records[-1]
    if text.count('"') % 2 and any("\n" in value for value in last.fields):
        start = records[-2].line + 1 if len(records) > 1 else 1
        yield (
            f"A quotation mark opened near line {start} is never closed; all that follows was read as"
            " one value."
        )


def _lines(lines: Sequence[int]) -> str:
    return f"Line{'s' if len(lines) > 1 else ''} {listed(lines, 5)}"
