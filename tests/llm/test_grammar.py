"""Which parts of a markdown text are steps, and what placeholders stand for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.llm.grammar.items import Item, numbered_items
from omniforge.llm.grammar.placeholders import PlaceholderError, fill, placeholders
from omniforge.llm.grammar.procedure import read_procedure
from omniforge.llm.sections import input_block, input_section, skill_block, skill_section


def items(text: str) -> list[tuple[int, str]]:
    return [(item.number, item.text) for item in numbered_items(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1. one\n2) two", [(1, "one"), (2, "two")]),
        ("7. one\nstill one\n\n   still one, later", [(7, "one\nstill one\n\nstill one, later")]),
        ("1. one\n\nA paragraph.\n\n2. two", [(1, "one"), (2, "two")]),
        ("1. one\n## Heading\n- bullet", [(1, "one")]),
        (
            "1. one\n   - nested\n     more of it\n   1. nested too\n2. two",
            [(1, "one"), (2, "two")],
        ),
        ("1. one\n   - nested\n   back again", [(1, "one\nback again")]),
        ("1. one\n   ```\n   2. code\n   ```\n3. three", [(1, "one"), (3, "three")]),
        ("```\n1. code\n```\n~~~~\n2. code\n~~~\n~~~~\n3. three", [(3, "three")]),
        ("```\n1. never closed", []),
        ("    1. indented code", []),
        ("<!--\n1. commented out\n-->\n2. two", [(2, "two")]),
        ("1.one\n1a. one\n- 1. bullet", []),
        ("1. one\r\n2. two\r\n", [(1, "one"), (2, "two")]),
        ("In 2026 we grew.\n\n2026. A year.", [(2026, "A year.")]),
        ("", []),
    ],
)
def test_numbered_items_are_the_top_level_ones(text: str, found: list[tuple[int, str]]) -> None:
    assert items(text) == found


def test_a_fence_belongs_to_its_item_without_the_indentation() -> None:
    (item,) = numbered_items("1. Answer:\n   ```json\n   {\n     1\n   }\n   ```")

    assert item == Item(1, "Answer:", "{\n  1\n}")


@pytest.mark.parametrize(
    "text",
    [
        '1. Ask: `say {"text": "a b"}` and look at `text`.',
        '1. Ask: ``say {"text": "a b"}`` and look at `text`.',
        '1. Ask: `say {"text":\n   "a b"}` and look at `text`.',
        '1. Ask: `say {"text": "a\n   b"}` and look at `text`.',
    ],
)
def test_a_call_is_one_code_span_among_others(text: str) -> None:
    (step,) = read_procedure(text).steps

    assert (step.tool, step.arguments) == ("say", {"text": "a b"})
    assert step.title == "Ask: and look at `text`"


@pytest.mark.parametrize(
    "text",
    ["1. Reply `Hello {name}`.", "1. Use `say`.", "1. `{}`", "1. say {}", "- `say {}`", "`say {}`"],
)
def test_what_only_looks_like_a_call_is_prose(text: str) -> None:
    assert read_procedure(text).is_empty


# ---- placeholders ----------------------------------------------------------------------------

DATA: dict[str, Any] = {
    "name": "Ada",
    "n": 3,
    "no": None,
    "yes": True,
    "Due date": "1 May",
    "rows": [{"name": "Tax", "tags": ["a", "b"]}],
    "0": "zero",
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${input.name}", "Ada"),
        ("${input.n}", 3),
        ("${input.no}", None),
        ("${input.rows}", DATA["rows"]),
        ("${input}", DATA),
        ("${input.rows[0].name}", "Tax"),
        ("${input.rows.0.tags.1}", "b"),
        ("${ input.Due date }", "1 May"),
        ("${input.0}", "zero"),
        ("Dear ${input.name}, ${input.n} ${input.no} ${input.yes}", "Dear Ada, 3 null true"),
        ("Rows: ${input.rows}", 'Rows: [{"name":"Tax","tags":["a","b"]}]'),
        ("${input.column|Due}", "Due"),
        ("${input.name|Due}", "Ada"),
        ("in ${input.column|the due column}", "in the due column"),
        ("${input.gone|}", ""),
        ("$${input.name}", "${input.name}"),
        ("$$ 5, ${input.n} {} $", "$$ 5, 3 {} $"),
        ({"${input.name}": ["${input.n}", 1.5, None]}, {"Ada": [3, 1.5, None]}),
    ],
)
def test_placeholders_take_their_values(template: Any, value: Any) -> None:
    assert fill(template, lambda placeholder: placeholder.value_in(DATA)) == value


@pytest.mark.parametrize(
    "template",
    [
        *("${input.gone}", "${input.rows[1]}", "${input.rows.name}", "${input.name.first}"),
        *("${}", "${input..name}", "${.input}", "${input.rows[x]}", "${steps}", "${steps.x.y}"),
        *("${HOME}", "${inputs.name}", "${input.name", "${input.rows[-1]}", "${steps.²}"),
    ],
)
def test_a_placeholder_without_a_value_is_an_error(template: str) -> None:
    with pytest.raises(PlaceholderError, match=r"\$\{"):
        fill(template, lambda placeholder: placeholder.value_in(DATA))


def test_all_placeholders_of_a_template_are_found() -> None:
    template = {"a ${steps.2.x}": ["${input.y|z} $${no}", {"b": "${steps.10}"}]}

    found = [(one.step, one.path, one.default) for one in placeholders(template)]

    assert found == [(2, ("x",), None), (None, ("y",), "z"), (10, (), None)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(JSON)
def test_data_never_turns_into_placeholders(value: Any) -> None:
    """What a tool or a person sent is inserted once and not read again."""
    assert fill("${input}", lambda _: value) == value
    assert fill({"a": ["${input.x}"]}, lambda _: "${input.y}") == {"a": ["${input.y}"]}


@given(JSON)
def test_escaped_templates_come_out_as_they_were_meant(value: Any) -> None:
    escaped = json.loads(json.dumps(value).replace("${", "$${"))

    assert not list(placeholders(escaped))


# ---- the marked sections ---------------------------------------------------------------------


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_what_goes_into_a_section_comes_out_of_it(body: str, data: dict[str, str]) -> None:
    prompt = f"Before.\n\n{skill_block('a-skill', body)}\n\nAfter: </skill> in mid-line."
    message = f"Run this:\n{input_block(data)}\nThank you."

    assert skill_section(prompt) == body.strip("\n")
    assert json.loads(input_section(message) or "") == data


def test_a_skill_may_show_the_end_marker() -> None:
    body = "Write:\n</skill>\nand go on."

    assert skill_section(f"{skill_block('x', body)}\nMore.") == body
