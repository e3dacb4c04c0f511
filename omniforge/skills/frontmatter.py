"""The block between the two `---` lines: cut out strictly, read as YAML without YAML's surprises.

Every plain scalar stays text (`yes`, `1.0` and `2024-01-01` keep their spelling), a key may come once,
and anchors, aliases, tags and deep nesting are refused before anything is built from them.
"""

import re
from dataclasses import dataclass

import yaml
from yaml import CSafeLoader, Event, MappingNode, Node, ScalarNode, SequenceNode

from omniforge.skills.document import Report

MAX_FRONTMATTER_BYTES = 64 * 1024
# `metadata` is one mapping inside the outer one; the rest is room for fields of other readers.
MAX_DEPTH = 8

_FENCE = "---"
_LEADING_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar. `plain` means that it was written without quotes."""

    text: str
    line: int
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    items: tuple["Value", ...]
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value and the line of the key."""

    line: int
    value: "Value"


@dataclass(frozen=True, slots=True)
class Table:
    entries: dict[str, Entry]
    line: int


Value = Text | Listing | Table


@dataclass(frozen=True, slots=True)
class Halves:
    """A SKILL.md cut in two. The frontmatter begins at line 2 of the file, the body at `body_line`."""

    frontmatter: str
    body: str
    body_line: int


class _TextLoader(CSafeLoader):
    """Resolves no scalar by its looks: text stays text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (the base class declares it so)


def decode(content: bytes, report: Report) -> str | None:
    """UTF-8 with or without a byte order mark; all line ends become a newline."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        report.error(line, "not-utf8", f"byte {error.start} is not UTF-8; save the file as UTF-8")
        return None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def split(text: str, report: Report) -> Halves | None:
    """Cut at the first two lines that are exactly `---`; the first has to be line 1."""
    lines = text.split("\n")
    if lines[0].rstrip() != _FENCE:
        report.error(1, "frontmatter-missing", "the file has to begin with a line '---'")
        return None
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        report.error(1, "frontmatter-unclosed", "the frontmatter has no closing line '---'")
        return None
    after = "\n".join(lines[end + 1 :])
    body = _LEADING_BLANK_LINES.sub("", after)
    skipped = after[: len(after) - len(body)].count("\n")
    return Halves("\n".join(lines[1:end]), body.rstrip(), end + 2 + skipped)


def read_table(frontmatter: str, report: Report) -> Table | None:
    """The frontmatter's top level; None when it cannot be trusted, for reasons in the report."""
    if len(frontmatter.encode()) > MAX_FRONTMATTER_BYTES:
        report.error(1, "frontmatter-too-large", "the frontmatter is larger than 64 KB")
        return None
    try:
        if not _is_tame(frontmatter, report):
            return None
        node = yaml.compose(frontmatter, Loader=_TextLoader)
    except yaml.YAMLError as error:
        report.error(_line_of_error(frontmatter, error), "yaml-syntax", _words_of(error))
        return None
    return _top_level(node, _Converter(frontmatter, report), report)


def _top_level(node: Node | None, converter: "_Converter", report: Report) -> Table | None:
    if node is None:
        return Table({}, 1)
    value = converter.value(node)
    if isinstance(value, Table):
        return value
    report.error(
        value.line, "frontmatter-not-a-mapping", "the frontmatter has to be 'key: value' lines"
    )
    return None


def _is_tame(frontmatter: str, report: Report) -> bool:
    depth = 0
    for event in yaml.parse(frontmatter, Loader=CSafeLoader):
        depth += _change_of_depth(event)
        if depth > MAX_DEPTH:
            line = _line_of(event, frontmatter)
            report.error(line, "yaml-too-deep", f"values are nested deeper than {MAX_DEPTH} levels")
            return False
        if refusal := _refusal(event):
            report.error(_line_of(event, frontmatter), *refusal)
            return False
    return True


def _change_of_depth(event: Event) -> int:
    opens = isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent)
    closes = isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent)
    return opens - closes


def _refusal(event: Event) -> tuple[str, str] | None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        return "yaml-anchor", "YAML anchors and aliases are not allowed; write the value out"
    if getattr(event, "tag", None):
        return "yaml-tag", "YAML tags are not allowed; write the plain value"
    return None


class _Converter:
    """YAML nodes into our values, with the line each one begins on."""

    def __init__(self, frontmatter: str, report: Report) -> None:
        self._text, self._report = frontmatter, report

    def value(self, node: Node) -> Value:
        line = self._line(node)
        if isinstance(node, MappingNode):
            return self._table(node, line)
        if isinstance(node, SequenceNode):
            return Listing(tuple(self.value(item) for item in node.value), line)
        return Text(str(node.value), line, plain=not getattr(node, "style", None))

    def _table(self, node: MappingNode, line: int) -> Table:
        entries: dict[str, Entry] = {}
        for key, value in node.value:
            self._enter(entries, key, value)
        return Table(entries, line)

    def _enter(self, entries: dict[str, Entry], key: Node, value: Node) -> None:
        line = self._line(key)
        if not isinstance(key, ScalarNode):
            self._report.error(line, "field-type", "a key has to be text")
        elif key.value in entries:
            first = entries[key.value].line
            message = f"{key.value!r} is already set on line {first}"
            self._report.error(line, "duplicate-key", message)
        else:
            entries[str(key.value)] = Entry(line, self.value(value))

    def _line(self, node: Node) -> int:
        return _line_of(node, self._text)


def _line_of(part: Node | Event, frontmatter: str) -> int:
    return _line_at(frontmatter, part.start_mark.index if part.start_mark else 0)


def _line_at(frontmatter: str, index: int) -> int:
    """The line in the file. Counted here, since YAML takes more characters than newline for a line end."""
    return frontmatter[:index].count("\n") + 2


def _line_of_error(frontmatter: str, error: yaml.YAMLError) -> int:
    if isinstance(error, yaml.MarkedYAMLError) and (
        mark := error.problem_mark or error.context_mark
    ):
        return _line_at(frontmatter, mark.index)
    if isinstance(error, yaml.reader.ReaderError):
        return frontmatter.encode()[: error.position].count(b"\n") + 2
    return 2


def _words_of(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        problem = error.problem or "the YAML is broken"
        if "mapping values" in problem:
            return f"{problem}; put a value that holds ': ' in quotes"
        return problem
    if isinstance(error, yaml.reader.ReaderError):
        return "the frontmatter holds a control character"
    return str(error)
