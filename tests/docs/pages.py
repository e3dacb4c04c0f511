"""The documentation, page by page, and what stands in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"^ *```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
_INLINE = re.compile(r"`[^`\n]+`")


@dataclass(frozen=True)
class Block:
    """One fenced block. `place` is where an editor finds it."""

    place: str
    language: str
    text: str


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def prose(self) -> str:
        """The text without code: neither fenced blocks nor what stands between backticks."""
        return _INLINE.sub("", self.unfenced)

    @property
    def unfenced(self) -> str:
        """The text without its fenced blocks, where a `#` may be a comment."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> Iterator[Block]:
        for found in _FENCE.finditer(self.text):
            line = self.text.count("\n", 0, found.start()) + 1
            yield Block(f"{self.name}:{line}", found["language"], found["text"])


def pages() -> list[Page]:
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
    return [Page(path) for path in sorted(found)]


def blocks(*languages: str) -> list[Block]:
    return [block for page in pages() for block in page.blocks() if block.language in languages]


def with_backticks(text: str) -> set[str]:
    """Everything that stands between backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))
