"""What is found in a plan before it ever runs."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.agents.config import SkillReference
from omniforge.errors import ConditionFailed, PlanInvalid
from omniforge.execution.plans.checks import findings, refuse_unsound
from omniforge.execution.plans.conditions import Facts, StepFacts, value
from omniforge.execution.plans.shapes import ANY, DOUBLE, INT, STRING, Shapes, list_of, of_schema
from omniforge.execution.plans.syntax import parse
from omniforge.skills.document import Skill
from tests.execution.expressions import EXPRESSIONS
from tests.support.requirements import requirement

ROW = {"type": "object", "properties": {"id": {"type": "integer"}, "mail": {"type": "string"}}}
SCHEMA = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": ROW},
        "rate": {"type": "number"},
        "city": {"type": "string"},
        "more": {"type": "object", "additionalProperties": True, "properties": {}},
    },
}


def a_folder(name: str, schema: Any = None, arguments: tuple[str, ...] = ()) -> Skill:
    metadata = {} if schema is None else {"omniforge.output-schema": json.dumps(schema)}
    return Skill(name=name, description="x", body="x", metadata=metadata, arguments=arguments)


def a_skill(name: str, order: int = 1, **more: Any) -> SkillReference:
    return SkillReference.model_validate({"name": name, "order": order, **more})


FOLDERS = {"find": a_folder("find", SCHEMA)}


def found(**more: Any) -> list[tuple[str, str]]:
    """What is said of `post`, which comes after `find` and beside `side`."""
    skills = [a_skill("find"), a_skill("side", 2), a_skill("post", 2, **more)]
    return [(one.place, one.message) for one in findings(skills, FOLDERS)]


@requirement("FR-12")
@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("steps.find.output.rate > ", "It ends too early."),
        ("stops.find.output == 1", "There is no `stops`. There are input, steps, and"),
        ("steps.fund.output == 1", "There is no step 'fund'. Steps before it: find."),
        ("steps.side.output == 1", "Step 'side' is not sure to have ended before 'post'"),
        ("steps.post.output == 1", "A skill cannot read what itself gives."),
        ("steps.find.result == 1", "A step has output, status, error, but no 'result'."),
        ("steps.exists(s, true)", "Say which step is meant: steps.<id>.output."),
        ("item.id == 1", "`item` is there only in the `input` of a skill that has a `for_each`."),
        ("index == 1", "`index` is there only in the `input`"),
        ("steps.find.output.town == 'x'", "fields there are: city, more, rate, rows."),
        ("steps.find.output.rows.exists(r, r.name == 'x')", "fields there are: id, mail."),
        ("steps.find.output.city > 3", "`>` cannot be used on text and a whole number."),
        ("steps.find.output.rate == 'x'", "`==` compares a number with text."),
        ("steps.find.output.city.rows", "asks text for a field."),
        ("size(steps.find.output.rate) > 1", "size() needs a list or an object or text"),
        ("!steps.find.output.city", "`!` needs true or false; here is text."),
        ("'a' in steps.find.output.city", "`in` looks into a list or an object; here is text."),
        ("steps.find.output.rate.all(r, true)", ".all() goes over a list; here is a number."),
        ("1.5 + 1 > 2.0", "Write double(...) around the whole one."),
        ("steps.find.output.city", "It gives text; true or false is needed."),
        ("'yes'", "It gives text; true or false is needed."),
        ("1 > 2", "It is never true, so 'post' could not be reached."),
        ("1 / 0 == 1", "It divides by zero."),
        ("input.a.all(x, input.b.all(y, true))", ".all() inside of another one"),
        ("(" * 30 + "true" + ")" * 30, "nested more than 20 levels deep"),
    ],
)
def test_a_finding_names_the_place_and_what_is_wrong(when: str, message: str) -> None:
    ((place, said),) = found(when=when)

    assert place == "skills[2].when"
    assert message in said


@pytest.mark.parametrize(
    "when",
    [
        "steps.find.output.rate > 3",
        "steps.find.status == 'failed' && steps.find.error != null",
        "has(steps.find.output.town)",
        "steps.find.output.more.anything == 1",
        "steps.find.output == null",
        "input.anything.goes.here == 1",
        "steps.find.output.rows.exists(row, row.id == 1 && row.mail.endsWith('@x'))",
        "steps.find.output.rows[0].id < 3",
        "true",
    ],
)
def test_what_may_be_right_is_let_through(when: str) -> None:
    assert found(when=when) == []


def test_a_for_each_needs_a_list_that_is_not_always_empty() -> None:
    assert found(for_each="steps.find.output.rows") == []
    assert found(for_each="input.rows") == []
    for expression, message in (
        ("steps.find.output.rate", "It gives a number; a list is needed."),
        ("[]", "It is always empty, so 'post' could not be reached."),
    ):
        assert found(for_each=expression) == [("skills[2].for_each", message)]


def test_the_items_of_a_for_each_have_the_shape_of_the_lists_items() -> None:
    of_items = {"for_each": "steps.find.output.rows"}

    assert found(**of_items, input='{"to": item.mail, "place": index}') == []
    ((place, message),) = found(**of_items, input="item.name")
    assert (place, message) == (
        "skills[2].input",
        "`item.name` does not exist; the fields there are: id, mail.",
    )


def test_the_output_of_a_for_each_is_a_list() -> None:
    skills = [
        a_skill("find", for_each="input.cities"),
        a_skill("post", 2, input="steps.find.output.map(found, found.rate)"),
        a_skill("tell", 2, input="steps.find.output.rate"),
    ]

    assert [one.place for one in findings(skills, FOLDERS)] == ["skills[2].input"]


def test_what_ended_before_can_be_read_through_others_and_by_a_fallback() -> None:
    skills = [
        a_skill("find", on_failure="fallback:guess"),
        a_skill("guess", input="steps.find.error"),
        a_skill("sum", 2),
        a_skill("post", 3, input='{"found": steps.find.output, "guessed": steps.guess.status}'),
    ]

    assert findings(skills, FOLDERS) == ()


def test_a_step_whose_failure_is_lived_with_may_have_left_anything() -> None:
    skills = [a_skill("find", on_failure="continue"), a_skill("post", 2)]
    post = skills[1].model_copy(update={"when": "has(steps.find.output.partial)", "input": None})
    read = skills[1].model_copy(update={"input": "steps.find.output.partial"})

    assert findings([skills[0], post], FOLDERS) == ()
    assert findings([skills[0], read], FOLDERS) == ()


def test_arguments_that_nothing_provides_are_named() -> None:
    folders = {**FOLDERS, "post": a_folder("post", arguments=("city", "channel"))}
    find, post = a_skill("find"), a_skill("post", 2)

    def said(**more: Any) -> list[tuple[str, str]]:
        skills = [find, post.model_copy(update=more)]
        return [(one.place, one.message) for one in findings(skills, folders)]

    assert said(config={"channel": "#ops"}) == []
    assert said(input='{"city": steps.find.output.city, "channel": "#ops"}') == []
    assert said(input="input.anything") == []
    ((place, message),) = said()
    assert place == "skills[1]"
    assert message.startswith("Skill 'post' takes channel, which what it is given does not have")
    ((place, _),) = said(input='{"channel": 1}')
    assert place == "skills[1].input"


def test_the_error_names_the_first_finding_and_has_all_of_them() -> None:
    skills = [a_skill("find", when="fals"), a_skill("post", 2, when="1", input="item")]

    with pytest.raises(PlanInvalid) as refused:
        refuse_unsound(skills, {})

    assert refused.value.message.startswith("skills[0].when: There is no `fals`.")
    assert refused.value.message.endswith("(and 2 more)")
    listed: Any = refused.value.details["findings"]
    assert [one["place"] for one in listed] == [
        "skills[0].when",
        "skills[1].when",
        "skills[1].input",
    ]


def test_skills_on_demand_are_no_steps_that_could_be_read() -> None:
    skills = [a_skill("style", on_demand=True), a_skill("post", when="steps.style.output == 1")]

    ((finding),) = findings(skills, {})

    assert finding.message == "There is no step 'style'. Steps before it: none."


# ---- for every plan ----------------------------------------------------------------------------

FACTS = Facts(
    input={"week": 27, "rate": 1.5, "name": "x", "none": None},
    steps={"find": StepFacts({"rows": [{"id": 1}]}), "send": StepFacts(None, "skipped")},
)


def a_plan(expression: str) -> list[SkillReference]:
    return [a_skill("find"), a_skill("send"), a_skill("post", 2, input=expression)]


@settings(deadline=None, max_examples=400)
@given(EXPRESSIONS.filter(lambda text: len(text) <= 500))
def test_what_passes_never_meets_an_unknown_name(expression: str) -> None:
    if findings(a_plan(expression), {}):
        return
    try:
        value(expression, FACTS)
    except ConditionFailed as failed:
        why = failed.why
    else:
        why = ""
    assert "There is no" not in why


@settings(deadline=None, max_examples=400)
@given(EXPRESSIONS.filter(lambda text: len(text) <= 500))
def test_a_shape_that_is_sure_is_the_shape_of_the_value(expression: str) -> None:
    with contextlib.suppress(ValueError, ConditionFailed):
        shapes = Shapes({})
        shape = shapes.of(parse(expression))
        result = value(expression, FACTS)
        kinds = {"string": str, "bool": bool, "int": int, "list": list, "object": dict}
        expected = kinds.get(shape.kind)
        assert shapes.problems or expected is None or type(result) is expected


@settings(deadline=None, max_examples=200)
@given(
    st.text(min_size=1, max_size=80).map(str.strip).filter(bool),
    st.sampled_from(["when", "for_each", "input"]),
)
def test_any_text_gets_findings_and_no_crash(text: str, part: str) -> None:
    skills = [a_skill("find"), a_skill("post", 2, **{part: text})]

    assert all(one.place == f"skills[1].{part}" for one in findings(skills, FOLDERS))


SCHEMAS = st.recursive(
    st.sampled_from(
        [True, False, {}, {"type": "string"}, {"type": ["null", "string"]}, {"enum": [1]}]
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(
            lambda properties: {"type": "object", "properties": properties},
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        ),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=200)
@given(SCHEMAS, EXPRESSIONS.filter(lambda text: len(text) <= 500))
def test_any_schema_can_stand_before_any_expression(schema: Any, expression: str) -> None:
    found = findings(a_plan(expression), {"find": a_folder("find", schema)})

    assert all(one.place.startswith("skills[") and one.message for one in found)


def test_the_shape_of_a_schema_is_what_it_promises() -> None:
    assert of_schema({"type": "array", "items": {"type": "integer"}}) == list_of(INT)
    assert of_schema({"type": ["string", "null"]}) == ANY
    assert of_schema({"$ref": "#/$defs/x"}) == ANY
    shapes = Shapes({"a": STRING, "b": DOUBLE})
    assert shapes.of(parse("a + a")) == STRING
    assert shapes.of(parse("b * b")) == DOUBLE
    assert shapes.problems == []
