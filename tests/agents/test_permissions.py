"""Rules on tool calls: the first that fits decides."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from omniforge.agents.permissions import Action, PermissionRule, action_for, is_ruled_out


def rules(*texts: tuple[str, str, dict[str, str]]) -> list[PermissionRule]:
    return [
        PermissionRule(action=Action(action), tool=tool, arguments=arguments)
        for action, tool, arguments in texts
    ]


CAREFUL = rules(
    ("allow", "http_get", {"url": "https://api.example.com/*"}),
    ("deny", "http_*", {"url": "http://*"}),
    ("ask", "http_*", {}),
    ("deny", "delete_file", {}),
)


@pytest.mark.parametrize(
    ("tool", "arguments", "action"),
    [
        ("http_get", {"url": "https://api.example.com/users"}, "allow"),
        ("http_get", {"url": "https://api.example.com.evil.test/"}, "ask"),
        ("http_get", {"url": "http://api.example.com/users"}, "deny"),
        ("http_post", {"url": "https://api.example.com/users"}, "ask"),
        ("http_post", {}, "ask"),
        ("delete_file", {"path": "a"}, "deny"),
        ("read_file", {"path": "a"}, "allow"),
    ],
)
def test_the_first_rule_that_fits_a_call_decides(
    tool: str, arguments: dict[str, Any], action: str
) -> None:
    assert action_for(CAREFUL, tool, arguments) == action


def test_an_argument_that_is_no_text_is_compared_as_json() -> None:
    only_small = rules(("deny", "pay", {"amount": "1000*"}), ("deny", "pay", {"to": '["bank"]'}))

    assert action_for(only_small, "pay", {"amount": 1000}) is Action.DENY
    assert action_for(only_small, "pay", {"amount": 900, "to": ["bank"]}) is Action.DENY
    assert action_for(only_small, "pay", {"amount": 900, "to": ["friend"]}) is Action.ALLOW


def test_a_tool_is_ruled_out_when_no_call_of_it_could_pass() -> None:
    assert is_ruled_out(CAREFUL, "delete_file")
    assert not is_ruled_out(CAREFUL, "http_post")
    assert not is_ruled_out(rules(("deny", "pay", {"to": "x"})), "pay")
    assert is_ruled_out(rules(("deny", "pay", {"to": "x"}), ("deny", "*", {})), "pay")


def test_a_rule_says_nothing_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        PermissionRule.model_validate({"action": "allow", "tool": "x", "argument": {}})
    with pytest.raises(ValidationError):
        PermissionRule.model_validate({"action": "maybe", "tool": "x"})


TEXTS = st.text("ab*[]?", max_size=8)


@given(st.lists(TEXTS.map(lambda text: text.replace("*", "")), min_size=1, max_size=4), st.data())
def test_a_star_stands_for_any_text_and_nothing_else_is_special(
    parts: list[str], data: st.DataObject
) -> None:
    between = data.draw(st.lists(TEXTS, min_size=len(parts) - 1, max_size=len(parts) - 1))
    filled = "".join(part + fill for part, fill in zip(parts, [*between, ""], strict=True))
    other = data.draw(TEXTS)
    rule = PermissionRule(action=Action.DENY, tool="pay", arguments={"to": "*".join(parts)})

    assert rule.fits("pay", {"to": filled})
    assert rule.fits("pay", {"to": other}) == bool(
        re.fullmatch(".*".join(map(re.escape, parts)), other, re.DOTALL)
    )
