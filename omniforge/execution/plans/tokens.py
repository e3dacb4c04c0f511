"""The words and signs of an expression, and what its literals mean."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


class SyntaxProblem(ValueError):
    """An expression that cannot be read. The message is a sentence about it."""


_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<string>[rR]?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    | (?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    | (?P<int>0[xX][0-9a-fA-F]+|\d+)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


def tokens(source: str) -> Iterator[Token]:
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:
            raise SyntaxProblem(f"{source[at]!r} at character {at + 1} means nothing here.")
        if match.lastgroup != "space":
            yield Token(match.lastgroup, match.group(), at)
        at = match.end()
    yield Token("end", "", at)


_ESCAPE = re.compile(r"\\(?:([abfnrtv\\?\"'`])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def text_of(token: Token) -> str:
    if token.text[0] in "rR":
        return token.text[2:-1]
    text = _ESCAPE.sub(lambda match: _unescaped(match, token), token.text[1:-1])
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise SyntaxProblem(f"The text at character {token.at + 1} has half a character in it.")
    return text


def _unescaped(match: re.Match[str], token: Token) -> str:
    plain, two, four, other = match.groups()
    if other is not None:
        raise SyntaxProblem(
            f"\\{other} in the text at character {token.at + 1} is no escape; a backslash is \\\\."
        )
    return chr(int(two or four, 16)) if plain is None else _ESCAPED.get(plain, plain)


def int_of(token: Token) -> int:
    value = int(token.text, 0) if token.text[:2].lower() == "0x" else int(token.text)
    if value >= 2**63:
        raise SyntaxProblem(f"The number at character {token.at + 1} is too large.")
    return value


def double_of(token: Token) -> float:
    value = float(token.text)
    if value == float("inf"):
        raise SyntaxProblem(f"The number at character {token.at + 1} is too large.")
    return value
