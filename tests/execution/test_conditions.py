"""Expressions over a run: what they give, what they meet, and what they may cost."""

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.agents.plan import MAX_ITEMS
from omniforge.errors import ConditionFailed
from omniforge.execution.plans import conditions
from omniforge.execution.plans.conditions import Facts, StepFacts, holds, items, value
from omniforge.execution.plans.syntax import parse
from omniforge.execution.plans.tokens import SyntaxProblem
from omniforge.execution.plans.tree import paths
from tests.execution.expressions import EXPRESSIONS
from tests.support.requirements import requirement

ROWS = [{"id": number, "late": number % 2 == 0} for number in range(4)]
FACTS = Facts(
    input={"week": 27, "rate": 1.5, "name": "Zoë", "none": None, "many": list(range(10_000))},
    steps={
        "find": StepFacts({"rows": ROWS, "total": 4}),
        "find-more": StepFacts(None, "skipped"),
        "send": StepFacts({"partial": "Half."}, "failed", "The service is down."),
    },
)
OF_ITEM = Facts(input={}, steps={}, item={"mail": "a@x"}, index=3)


@requirement("FR-12")
@pytest.mark.parametrize(
    ("expression", "is_true"),
    [
        ("input.week == 27", True),
        ("steps.find.output.total > 10", False),
        ("steps.find.output.rows.exists(row, row.late)", True),
        ('steps["find-more"].status == "skipped" && steps["find-more"].output == null', True),
        ('steps.send.status == "failed" && steps.send.error.contains("down")', True),
        ("has(input.month) || input.week > 20", True),
        ("has(input.month) && input.month == 7", False),
        ("!(input.week in [1, 2, 3])", True),
        ("input.week == 27.0", True),
    ],
)
def test_a_condition_is_true_or_false(expression: str, is_true: bool) -> None:
    assert holds(expression, FACTS) is is_true


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("steps.find.output", {"rows": ROWS, "total": 4}),
        ('{"week": input.week, "late": steps.find.output.rows.filter(r, r.late).map(r, r.id)}',
         {"week": 27, "late": [0, 2]}),
        ("input.none", None),
        ("input.rate + double(input.week)", 28.5),
        ('input.week > 50 ? "late" : "early"', "early"),
        ('"\\u00e9" + "\\n"', "é\n"),
        ("string(timestamp('2026-11-21T00:00:00Z'))", "2026-11-21T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_a_value_is_plain_json(expression: str, result: Any) -> None:
    assert value(expression, FACTS) == result


def test_an_object_has_its_fields_in_the_same_order_each_time() -> None:
    made = {json.dumps(value('{"b": 1, "a": {"d": 1, "c": 2}}', FACTS)) for _ in range(20)}

    assert made == {'{"a": {"c": 2, "d": 1}, "b": 1}'}


def test_item_and_index_are_there_in_a_for_each_and_nowhere_else() -> None:
    assert value('{"to": item.mail, "place": index}', OF_ITEM) == {"to": "a@x", "place": 3}
    with pytest.raises(ConditionFailed, match="There is no `item` here"):
        value("item", FACTS)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("input.month == 7", "`input` has no 'month'; has(input.month) asks first."),
        ("steps.fund.output == 1", "There is no step 'fund'."),
        ('steps["find-more"].output.rows', '`steps["find-more"].output` is null, so it has no'),
        ("stops.find", "There is no `stops` here."),
        ("steps.find.output.rows[9]", "an item that the list does not have"),
        ("input.rate + 1", "CEL has no float + int. Between numbers, write 1.5 + double(1)."),
        ("input.none.x == 1 ? input.rate + 1 : 2", "`input.none` is null, so it has no 'x'."),
        ("input.week == 0 ? input.none.x : input.rate + 1", "CEL has no float + int."),
        ("!input.week", "It uses a value as something that it is not."),
        ("input.week / 0", "divides by zero"),
        ("9223372036854775807 + input.week", "too large"),
        ('int(input.name)', "A function in it cannot be used"),
        ("{1: 2}", "keys that are no strings"),
        ("double('NaN')", "infinite, or none at all"),
        ("timestamp('2026-11-21T00:00:00Z')", "string(...) makes text of it"),
        ("input.week ==", "It ends too early."),
        ("input week", "'week' at character 7 does not belong there"),
        ("input.rows.sum()", "There is no .sum()."),
        ("now()", "There is no now()."),
        ("!!input.week", "Two ! in a row say nothing"),
        ("input.a.map(x, input.b.map(y, y))", ".map() inside of another one"),
        ("(" * 30 + "1" + ")" * 30, "nested more than 20 levels"),
        ("'x'" + " + 'x'" * 100, "longer than 500 characters"),
    ],
)  # fmt: skip
def test_what_it_met_is_said_in_a_sentence(expression: str, why: str) -> None:
    with pytest.raises(ConditionFailed) as failed:
        value(expression, FACTS)

    assert why in failed.value.message
    assert failed.value.code == "condition_failed"
    assert len(failed.value.message) < 500


def test_no_message_holds_data() -> None:
    secret = Facts({"key": "hunter2", "list": ["hunter2"]}, {})
    for expression in ("input.key.x", "int(input.key)", "input.list[3]", "input.key + 1"):
        with pytest.raises(ConditionFailed) as failed:
            value(expression, secret)
        assert "hunter2" not in failed.value.message


def test_the_surprises_of_the_library_are_as_the_page_tells_them() -> None:
    assert value('size("é")', FACTS) == 2
    assert value("double(input.rate) + 1.0", FACTS) == 2.5
    for expression in ("input.rate + 1", "string(true)", "1.5 + 1"):
        with pytest.raises(ConditionFailed):
            value(expression, FACTS)


@pytest.mark.parametrize("expression", ["input.week", "input.name", "input.none", "steps.find"])
def test_a_condition_that_is_neither_true_nor_false_fails(expression: str) -> None:
    with pytest.raises(ConditionFailed, match="true or false is needed"):
        holds(expression, FACTS)


def test_a_for_each_takes_a_list_that_is_not_too_long() -> None:
    most = Facts({"many": [{}] * MAX_ITEMS}, {})

    assert items("steps.find.output.rows", FACTS) == ROWS
    assert len(items("input.many", most)) == MAX_ITEMS
    with pytest.raises(ConditionFailed, match=r"10,000 items; a `for_each` takes 1,000"):
        items("input.many", FACTS)
    with pytest.raises(ConditionFailed, match="a list is needed"):
        items("input.week", FACTS)


# ---- what it may cost --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "input.rows.map(row, input.rows)",  # 13 s for 300 of them
        "input.rows.all(row, input.rows == input.rows)",
        "input.rows.map(row, input.text + input.text)",
        "input.words.exists(word, word.matches('(\\\\w{30}){30}'))",
        "input.rows.map(row, [row, row, row, row, row, row]).map(rows, rows + rows + rows)",
    ],
)
def test_what_would_hold_the_process_is_not_evaluated(expression: str) -> None:
    rows = [{"id": number, "text": "x" * 50, "more": [1, 2]} for number in range(1_000)]
    facts = Facts({"rows": rows, "text": "x" * 100_000, "words": ["word"] * 1_000}, {})

    with pytest.raises(ConditionFailed, match="too much data"):
        value(expression, facts)


def test_a_thousand_small_objects_may_be_looked_through() -> None:
    rows = [{"id": number, "mail": f"{number}@x"} for number in range(1_000)]
    facts = Facts({"rows": rows}, {})

    assert value("input.rows.filter(row, row.id >= 990).map(row, row.mail)", facts) == [
        f"{number}@x" for number in range(990, 1_000)
    ]
    assert holds("input.rows.exists(row, row.mail.endsWith('999@x'))", facts)


def test_only_what_is_read_counts() -> None:
    heavy = Facts({"week": 1, "heap": [0] * 200_000}, {"find": StepFacts(["x" * 10_000_000])})

    assert holds("input.week == 1 && steps.find.status == 'done'", heavy)
    with pytest.raises(ConditionFailed, match="more data than an expression may"):
        value("size(input.heap)", heavy)


# ---- the library -------------------------------------------------------------------------------


def test_a_compiled_expression_serves_all_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: holds("input.week == 27", FACTS), range(50)))

    assert found == [True] * 50


def test_the_library_is_loaded_by_the_first_expression_and_not_before() -> None:
    program = (
        "import sys, api.app, workflows.agent_run, omniforge.cli.app, omniforge.execution.engine\n"
        "assert 'cel' not in sys.modules, 'too early'\n"
        "from omniforge.execution.plans.conditions import Facts, holds\n"
        "assert holds('true', Facts(None, {})) and 'cel' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)

    assert done.returncode == 0, done.stderr.decode()


# ---- for every expression ----------------------------------------------------------------------


@settings(deadline=None, max_examples=400)
@given(EXPRESSIONS)
def test_an_expression_gives_json_or_a_sentence(expression: str) -> None:
    try:
        result = value(expression, FACTS)
    except ConditionFailed as failed:
        refused = failed
    else:
        assert json.loads(json.dumps(result)) == result
        return
    assert refused.why.endswith(".")


@settings(deadline=None, max_examples=300)
@given(EXPRESSIONS)
def test_what_can_be_read_can_be_compiled_and_reads_what_the_library_says(expression: str) -> None:
    import cel

    try:
        read = {path[0] for path in paths(parse(expression))}
    except SyntaxProblem:
        return
    names = set(cel.compile(expression).variables())

    assert read - names == set()
    assert names - read <= {"x"}


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConditionFailed):
        conditions.compiled(text)
