"""What can be said about a skill's instructions without running them: its files and its steps."""

import json
import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from omniforge.skills.allowed_tools import AllowedTools
from omniforge.skills.archive import folders_of
from omniforge.skills.document import Report

_LINK = re.compile(r"\]\(<?([^()<>\s]{1,500})")
_MENTION = re.compile(
    r"(?<![\w/.-])(?:\./|\$\{(?:CLAUDE_)?SKILL_DIR\}/)?((?:scripts|references|assets)/\w[\w./-]*)"
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|/|#|\$|\{")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_ITEM = re.compile(r" {0,3}(\d{1,9})[.)][ \t]+(?=\S)")
# A name, then braces that begin like an object, be it a broken one. `Hello {name}` is prose.
_CALL = re.compile(r"\s*([A-Za-z_][\w.:/-]*)\s+(\{\s*(?:[\"'}]|\w+\s*:).*)", re.DOTALL)
_TICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class Step:
    """A numbered item with one code span that reads like a tool call; other spans are prose.

    `arguments` is as written.
    """

    number: int
    line: int
    tool: str
    arguments: str


def check_body(body: str, first_line: int, report: Report) -> None:
    if not body.strip():
        report.error(first_line, "body-empty", "there are no instructions below the frontmatter")


def check_references(body: str, first_line: int, files: Collection[str], report: Report) -> None:
    """Warn of each file that the text points to and the folder does not have; once for each file."""
    seen = {".", *files, *folders_of(files)}
    for line, target in _references(body, first_line):
        path = posixpath.normpath(target)
        if path not in seen:
            message = f"{path!r} is mentioned but is not in the skill's folder"
            report.warning(line, "file-missing", message)
        seen.add(path)


def check_steps(body: str, first_line: int, limit: AllowedTools, report: Report) -> None:
    """Warn of steps that could not be followed without a model."""
    numbers: set[int] = set()
    for step in steps_of(body, first_line):
        if step.number in numbers:
            message = (
                f"there is a second step {step.number}, so ${{steps.{step.number}}} is unclear"
            )
            report.warning(step.line, "step-number", message)
        numbers.add(step.number)
        if problem := _problem_of_arguments(step.arguments):
            message = f"step {step.number}: the arguments of {step.tool} are not JSON: {problem}"
            report.warning(step.line, "step-arguments", message)
        if not limit.permits_some(step.tool):
            message = f"step {step.number}: allowed-tools does not list {step.tool}"
            report.warning(step.line, "step-tool", message)


def steps_of(body: str, first_line: int = 1) -> Iterator[Step]:
    """The steps in their order. Code fences hold examples, not steps."""
    for number, line, text in _numbered_items(body, first_line):
        calls = [(at, call) for at, span in _code_spans(text) if (call := _CALL.fullmatch(span))]
        if len(calls) == 1:
            at, call = calls[0]
            yield Step(number, line + text[:at].count("\n"), call[1], call[2].strip())


def _references(body: str, first_line: int) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(body.split("\n"), first_line):
        for link in _LINK.findall(text):
            target = re.split("[#?]", link, maxsplit=1)[0]
            if re.search(r"[./]", target) and not _SCHEME.match(target):
                yield line, unquote(target)
        for mention in _MENTION.findall(text):
            yield line, mention.rstrip("./-")


def _numbered_items(body: str, first_line: int) -> Iterator[tuple[int, int, str]]:
    """Number, line and text of each item; what is indented below an item belongs to it."""
    item: tuple[int, int, list[str]] | None = None
    for line, text in _lines_outside_fences(body, first_line):
        start = _ITEM.match(text)
        if item and (start or not text.startswith((" ", "\t"))):
            yield item[0], item[1], "\n".join(item[2])
            item = None
        if start:
            item = (int(start[1]), line, [text[start.end() :]])
        elif item:
            item[2].append(text)
    if item:
        yield item[0], item[1], "\n".join(item[2])


def _lines_outside_fences(body: str, first_line: int) -> Iterator[tuple[int, str]]:
    fence = ""
    for line, text in enumerate(body.split("\n"), first_line):
        mark = _FENCE.match(text)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence:
            yield line, text


def _code_spans(text: str) -> Iterator[tuple[int, str]]:
    """Position and content of each code span: two equal runs of backticks and what is between."""
    runs = list(_TICKS.finditer(text))
    closing = _next_of_equal_length(runs)
    at = 0
    while at < len(runs):
        end = closing.get(at)
        if end is not None:
            yield runs[at].start(), text[runs[at].end() : runs[end].start()]
        at = (at if end is None else end) + 1


def _next_of_equal_length(runs: list[re.Match[str]]) -> dict[int, int]:
    following: dict[int, int] = {}
    last: dict[int, int] = {}
    for at in range(len(runs) - 1, -1, -1):
        length = len(runs[at][0])
        if length in last:
            following[at] = last[length]
        last[length] = at
    return following


def _problem_of_arguments(arguments: str) -> str | None:
    try:
        value = json.loads(arguments)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos + 1}"
    except (ValueError, RecursionError):
        return "they are nested too deep or hold a number that is too long"
    return None if isinstance(value, dict) else "they have to be an object"
