"""Expressions at random: most can be read, many go wrong when they are evaluated."""

from hypothesis import strategies as st

ATOMS = st.sampled_from(
    [
        *("1", "2.5", "-7", "'text'", "'\\x41'", "true", "null", "[]", "[1, 2]", "{'a': 1}"),
        *("input", "input.week", "input.name", "input.none", "input['rate']", "has(input.month)"),
        *("steps.find.output", "steps.find.output.rows", "steps.send.status", "steps.gone", "item"),
    ]
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(
        ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"]
    )
    macros = st.sampled_from(["map", "filter", "all", "exists", "exists_one"])
    methods = st.sampled_from(["contains", "startsWith", "endsWith", "matches"])
    return st.one_of(
        st.tuples(inner, operators, inner).map(" ".join),
        st.tuples(inner, inner, inner).map(lambda of: f"({of[0]} ? {of[1]} : {of[2]})"),
        inner.map(lambda of: f"({of})"),
        inner.map(lambda of: f"!{of}"),
        inner.map(lambda of: f"size({of})"),
        inner.map(lambda of: f"string({of})"),
        st.tuples(inner, macros, inner).map(lambda of: f"({of[0]}).{of[1]}(x, {of[2]})"),
        st.tuples(inner, methods, inner).map(lambda of: f"({of[0]}).{of[1]}({of[2]})"),
        st.tuples(inner, inner).map(lambda of: f"[{of[0]}, {of[1]}]"),
        st.tuples(inner, inner).map(lambda of: f"{{'k': {of[0]}, 'l': {of[1]}}}"),
        st.tuples(inner, inner).map(lambda of: f"({of[0]})[{of[1]}]"),
        inner.map(lambda of: f"({of}).rows"),
    )


EXPRESSIONS = st.recursive(ATOMS, _grown, max_leaves=8)
