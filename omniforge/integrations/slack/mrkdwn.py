"""Markdown, which models write, and mrkdwn, which Slack does.

https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Callable, Iterator, Mapping

_FENCE = re.compile(r"^\s*(```|~~~)")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(\S.*)$")
_BULLET = re.compile(r"^(\s*)[-*+]\s+(\[[ xX]\]\s+)?")
_QUOTE = re.compile(r"^(?:\s*>)+\s?")

# Emphasis is looked for within three hundred characters, so that a text made of openings costs no more.
_INLINE = re.compile(
    r"(?P<code>`[^`\n]+`)"
    r"|!?\[(?P<label>[^\[\]\n]*)\]\((?P<url>(?:https?://|mailto:)(?:[^\s()<>]|\([^\s()<>]*\))+)\)"
    r"|<(?P<auto>(?:https?://|mailto:)[^\s<>|]+)(?:\|(?P<name>[^<>|\n]*))?>"
    r"|(?P<mention><@[A-Z0-9]+>|<#[A-Z0-9]+>)"
    r"|\*\*\*(?P<both>\S(?:.{0,300}?\S)?)\*\*\*"
    r"|\*\*(?P<bold>\S(?:.{0,300}?\S)?)\*\*"
    r"|(?<!\w)__(?P<bold2>\S(?:.{0,300}?\S)?)__(?!\w)"
    r"|(?<![\w*])\*(?P<italic>[^\s*](?:[^*\n]{0,300}?[^\s*])?)\*(?![\w*])"
    r"|~~(?P<strike>\S(?:.{0,300}?\S)?)~~"
)
_MARKS = re.compile(r"\*\*|__|~~|`")

_REFERENCE = re.compile(r"<([^<>|\n]+(?:\|[^<>\n]*)?)>")


# ---- what is sent ----------------------------------------------------------------------------


def from_markdown(text: str) -> str:
    """The same in mrkdwn. People (`<@U...>`) and channels (`<#C...>`) may be mentioned; nothing calls
    everybody in a channel, because `<!here>` and its like are shown as they stand."""
    return "\n".join(_lines(text))


def _lines(text: str) -> Iterator[str]:
    fence, is_in_table = "", False
    for line in text.split("\n"):
        opening = _FENCE.match(line)
        is_row = not fence and line.strip().startswith("|") and line.strip().endswith("|")
        if is_row != is_in_table:
            yield "```"
            is_in_table = is_row
        if fence:
            is_end = line.strip() == fence
            yield "```" if is_end else _escaped(line)
            fence = "" if is_end else fence
        elif opening:
            fence = opening[1]
            yield "```"
        else:
            yield _escaped(line) if is_row else _line(line)
    if fence or is_in_table:
        yield "```"


def _line(line: str) -> str:
    if heading := _HEADING.match(line):
        return f"*{_inline(_MARKS.sub('', heading[1]).strip())}*"
    if quote := _QUOTE.match(line):
        return f"> {_line(line[quote.end() :])}"
    if bullet := _BULLET.match(line):
        box = (bullet[2] or "").strip().casefold()
        sign = {"[ ]": "\u2610", "[x]": "\u2611"}.get(box, "\u2022")
        return f"{bullet[1]}{sign} {_inline(line[bullet.end() :])}"
    return _inline(line)


def _inline(text: str) -> str:
    made, end = [], 0
    for match in _INLINE.finditer(text):
        made += [_escaped(text[end : match.start()]), _formatted(match)]
        end = match.end()
    return "".join([*made, _escaped(text[end:])])


def _formatted(match: re.Match[str]) -> str:
    kind, found = match.lastgroup, match.groupdict()
    if found["url"] is not None:
        return _link(found["url"], found["label"])
    if found["auto"] is not None:
        return _link(found["auto"], found["name"])
    inner = found[kind or ""] or ""
    match kind:
        case "code":
            return _escaped(inner)
        case "mention":
            return inner
        case "both":
            return f"*_{_inline(inner)}_*"
        case "italic":
            return f"_{_inline(inner)}_"
        case "strike":
            return f"~{_inline(inner)}~"
    return f"*{_inline(inner)}*"


def _link(url: str, label: str | None) -> str:
    words = _MARKS.sub("", label or "").replace("|", "/").strip()
    target = _escaped(url).replace("|", "%7C")
    return f"<{target}|{_escaped(words)}>" if words else f"<{target}>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# ---- what is read ----------------------------------------------------------------------------


def mentioned(text: str) -> list[str]:
    """The ids of the people that a text mentions without their names."""
    return [each[1:] for each in _REFERENCE.findall(text) if each[0] == "@" and "|" not in each]


def to_text(text: str, names: Mapping[str, str]) -> str:
    """mrkdwn as people see it; `names` are those of people, by their ids."""
    seen = _REFERENCE.sub(lambda match: _seen(match[1], names), text)
    return seen.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _seen(reference: str, names: Mapping[str, str]) -> str:
    target, _, label = reference.partition("|")
    shown: dict[str, Callable[[], str]] = {
        "@": lambda: f"@{label or names.get(target[1:], target[1:])}",
        "#": lambda: f"#{label or target[1:]}",
        "!": lambda: label or f"@{target[1:].split('^')[0]}",
    }
    if target[0] in shown:
        return shown[target[0]]()
    return f"[{label}]({target})" if label and label != target else target
