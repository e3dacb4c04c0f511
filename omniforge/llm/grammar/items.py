"""The top-level numbered items of a markdown text. As much of CommonMark as that needs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import dedent

_ITEM = re.compile(r"( {0,3})(\d{1,9})[.)]([ \t]+|$)(.*)")
_FENCE = re.compile(r"\s*(`{3,}(?=[^`]*$)|~{3,})")
_NESTED = re.compile(r"([ \t]+)(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
# What starts something else at the left margin: a heading, a bullet, a quote, a rule, a comment.
_BREAK = re.compile(r" {0,3}(#{1,6}(\s|$)|[-*+]\s|>|([-*_] *){3,}$|<)")
_COMMENT = re.compile(r"^ {0,3}<!--.*?-->", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """`text` is the item's own text without nested lists; `fenced` its first code fence, if any."""

    number: int
    text: str
    fenced: str | None = None


def numbered_items(text: str) -> Iterator[Item]:
    """The items in order. What stands in code fences, in nested lists or between lists is not one."""
    reader = _Reader()
    for line in _COMMENT.sub("", text).expandtabs(4).split("\n"):
        reader.take(line)
    yield from reader.finished()


@dataclass(slots=True)
class _Open:
    """An item that may get more lines. `offset` is the column where its text starts."""

    number: int
    offset: int
    lines: list[str]
    fenced: list[str] | None = None
    nested_at: int | None = None
    is_after_blank: bool = False


@dataclass(slots=True)
class _Fence:
    mark: str
    into: list[str] | None

    def is_closed_by(self, line: str) -> bool:
        bare = line.strip()
        return len(bare) >= len(self.mark) and bare == self.mark[0] * len(bare)


@dataclass(slots=True)
class _Reader:
    items: list[Item] = field(default_factory=list)
    item: _Open | None = None
    fence: _Fence | None = None

    def finished(self) -> list[Item]:
        self._close()
        return self.items

    def take(self, line: str) -> None:
        line = line.rstrip("\r")
        if self.fence is not None:
            self._in_fence(self.fence, line)
        elif opening := _FENCE.match(line):
            self._open_fence(line, opening.group(1))
        elif not line.strip():
            if self.item is not None:
                self.item.is_after_blank = True
        elif (start := _ITEM.fullmatch(line)) and not self._belongs(line):
            self._open(start)
        elif self.item is not None:
            self._continue(self.item, line)

    def _open(self, start: re.Match[str]) -> None:
        self._close()
        indent, number, gap, rest = start.groups()
        # More than four spaces after the marker are part of the text (it would be code).
        offset = len(indent) + len(number) + 1 + (len(gap) if 1 <= len(gap) <= 4 else 1)
        self.item = _Open(int(number), offset, [rest])

    def _close(self) -> None:
        if self.item is not None:
            fenced = None if self.item.fenced is None else dedent("\n".join(self.item.fenced))
            self.items.append(Item(self.item.number, "\n".join(self.item.lines).strip(), fenced))
        self.item = None

    def _belongs(self, line: str) -> bool:
        """Indented at least as far as the open item's text."""
        return self.item is not None and _indent(line) >= self.item.offset

    def _continue(self, item: _Open, line: str) -> None:
        if not self._belongs(line) and (item.is_after_blank or _BREAK.match(line)):
            self._close()
            return
        if item.nested_at is not None and _indent(line) > item.nested_at:
            return
        nested = _NESTED.match(line) if self._belongs(line) else None
        item.nested_at = _indent(line) if nested else None
        if nested is None:
            item.lines.append(("\n" if item.is_after_blank else "") + line.strip())
        item.is_after_blank = False

    def _open_fence(self, line: str, mark: str) -> None:
        if self.item is not None and self.item.is_after_blank and not self._belongs(line):
            self._close()
        into: list[str] | None = None
        if self.item is not None and self.item.fenced is None and self.item.nested_at is None:
            into = self.item.fenced = []
        self.fence = _Fence(mark, into)

    def _in_fence(self, fence: _Fence, line: str) -> None:
        if fence.is_closed_by(line):
            self.fence = None
        elif fence.into is not None:
            fence.into.append(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
