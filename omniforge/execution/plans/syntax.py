"""The expressions of plans read into trees, for what has to be known of one before it is evaluated.

CEL's library evaluates and does not show what it parsed. This reads the part of CEL that plans use; what
it takes, the library takes.
"""

from collections.abc import Callable
from functools import lru_cache

from omniforge.execution.plans.tokens import (
    SyntaxProblem,
    Token,
    double_of,
    int_of,
    text_of,
    tokens,
)
from omniforge.execution.plans.tree import (
    Call,
    Constant,
    Expression,
    Index,
    ListOf,
    Macro,
    MapOf,
    Name,
    Operation,
    Select,
)

# The library gives up between 60 and 400 levels; nobody can read 20.
MAX_DEPTH = 20
# A macro in a macro costs a list times a list; see `cost`.
MAX_MACRO_DEPTH = 1

MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "filter": (2,), "map": (2, 3)}
FUNCTIONS = {"size", "int", "double", "string", "timestamp", "duration"}
METHODS = {
    *("size", "contains", "startsWith", "endsWith", "matches"),
    *("getFullYear", "getMonth", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
    *("getHours", "getMinutes", "getSeconds"),
}


_WORDS = {"true": True, "false": False, "null": None}
_RESERVED = {
    *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"),
    *("package", "namespace", "return", "var", "void", "while", "in"),
}
_LEVELS = (
    ("||",),
    ("&&",),
    ("==", "!=", "<", "<=", ">", ">=", "in"),
    ("+", "-"),
    ("*", "/", "%"),
)


@lru_cache(maxsize=1_000)
def parse(source: str) -> Expression:
    """
    Raises:
        SyntaxProblem: It is not an expression, or one that plans cannot use.
    """
    return _Parser(source).whole()


class _Parser:
    """Recursive descent, one method for each rule of the grammar that is not just a level of operators."""

    def __init__(self, source: str) -> None:
        self._tokens = list(tokens(source))
        self._place = self._depth = self._macros = 0

    def whole(self) -> Expression:
        expression = self._expression()
        if self._now.kind != "end":
            raise self._unexpected()
        return expression

    def _expression(self) -> Expression:
        return self._deeper(self._choice)

    def _choice(self) -> Expression:
        condition = self._operators(0)
        if not self._takes("?"):
            return condition
        then = self._operators(0)
        self._needs(":")
        return Operation("?:", (condition, then, self._expression()))

    def _operators(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._operators(level + 1)
        while self._now.text in _LEVELS[level] and self._now.kind in ("sign", "name"):
            operator = self._next().text
            left = Operation(operator, (left, self._operators(level + 1)))
        return left

    def _unary(self) -> Expression:
        sign = next((sign for sign in "!-" if self._takes(sign)), None)
        if sign is None:
            return self._member()
        if self._now.text == sign:
            # The library drops both, whatever stands behind them.
            raise SyntaxProblem(f"Two {sign} in a row say nothing; take them out.")
        operand = self._deeper(self._unary)
        if sign == "!":
            return Operation("!", (operand,))
        if isinstance(operand, Constant) and isinstance(operand.value, int | float):
            return Constant(-operand.value)
        return Operation("neg", (operand,))

    def _member(self) -> Expression:
        value = self._primary()
        while True:
            if self._takes("."):
                value = self._field(value)
            elif self._takes("["):
                value = Index(value, self._expression())
                self._needs("]")
            else:
                return value

    def _field(self, of: Expression) -> Expression:
        name = self._name()
        if not self._takes("("):
            return Select(of, name)
        if name in MACROS:
            return self._macro(name, of)
        if name not in METHODS:
            raise _unknown_function(f".{name}()", [f".{known}()" for known in METHODS])
        return Call(name, (of, *self._until(")")))

    def _macro(self, kind: str, over: Expression) -> Expression:
        if self._macros == MAX_MACRO_DEPTH:
            raise SyntaxProblem(
                f"It has .{kind}() inside of another one. Let a skill do that part."
            )
        self._macros += 1
        arguments = self._until(")")
        self._macros -= 1
        if len(arguments) not in MACROS[kind] or not isinstance(arguments[0], Name):
            raise SyntaxProblem(f"Write .{kind}(x, ...), with a name for each item of the list.")
        return Macro(kind, over, arguments[0].name, arguments[1:])

    def _primary(self) -> Expression:
        token = self._next()
        match token.kind:
            case "string":
                return Constant(text_of(token))
            case "int":
                return Constant(int_of(token))
            case "double":
                return Constant(double_of(token))
            case "name":
                return self._named(token)
        match token.text:
            case "(":
                inside = self._expression()
                self._needs(")")
                return inside
            case "[":
                return ListOf(self._until("]"))
            case "{":
                return self._map()
        self._place -= 1
        raise self._unexpected()

    def _named(self, token: Token) -> Expression:
        if token.text in _WORDS:
            return Constant(_WORDS[token.text])
        if token.text in _RESERVED:
            raise SyntaxProblem(f"{token.text!r} at character {token.at + 1} is a reserved word.")
        if not self._takes("("):
            return Name(token.text)
        arguments = self._until(")")
        if token.text == "has":
            if len(arguments) == 1 and isinstance(arguments[0], Select):
                return Select(arguments[0].of, arguments[0].field, is_test=True)
            raise SyntaxProblem("has() asks for one field: has(input.name).")
        if token.text not in FUNCTIONS:
            raise _unknown_function(f"{token.text}()", [f"{known}()" for known in FUNCTIONS])
        return Call(token.text, arguments)

    def _map(self) -> Expression:
        entries: list[tuple[Expression, Expression]] = []
        while not self._takes("}"):
            key = self._expression()
            self._needs(":")
            entries.append((key, self._expression()))
            if not self._takes(","):
                self._needs("}")
                break
        return MapOf(tuple(entries))

    def _until(self, end: str) -> tuple[Expression, ...]:
        found: list[Expression] = []
        if self._takes(end):
            return ()
        while True:
            found.append(self._expression())
            if self._takes(end):
                return tuple(found)
            self._needs(",")

    def _deeper(self, rule: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SyntaxProblem(f"It is nested more than {MAX_DEPTH} levels deep.")
        expression = rule()
        self._depth -= 1
        return expression

    # ---- tokens ------------------------------------------------------------------------------

    @property
    def _now(self) -> Token:
        return self._tokens[self._place]

    def _next(self) -> Token:
        token = self._now
        if token.kind == "end":
            raise self._unexpected()
        self._place += 1
        return token

    def _takes(self, sign: str) -> bool:
        is_there = self._now.kind == "sign" and self._now.text == sign
        self._place += is_there
        return is_there

    def _needs(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._unexpected(f"; {sign!r} belongs there")

    def _name(self) -> str:
        if self._now.kind != "name" or self._now.text in {*_WORDS, "in"}:
            raise self._unexpected("; the name of a field belongs there")
        return self._next().text

    def _unexpected(self, instead: str = "") -> SyntaxProblem:
        token = self._now
        if token.kind == "end":
            return SyntaxProblem(f"It ends too early{instead}.")
        return SyntaxProblem(
            f"{token.text[:20]!r} at character {token.at + 1} does not belong there{instead}."
        )


def _unknown_function(name: str, known: list[str]) -> SyntaxProblem:
    return SyntaxProblem(f"There is no {name}. There are {', '.join(sorted(known))}.")
