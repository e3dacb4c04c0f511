"""Files on their way through a run's skills."""

from omniforge.agents.plan import Plan
from omniforge.store.run_files import RunFiles

CHAIN = Plan({"read": (), "sum": ("read",), "send": ("sum",)})
SIDE_BY_SIDE = Plan({"left": (), "right": (), "join": ("left", "right")})
GIVEN = {"a": "given", "b": "given"}


def test_the_first_skill_finds_what_the_run_was_given() -> None:
    assert RunFiles(CHAIN, GIVEN, {}).found_by("read") == GIVEN


def test_files_pass_through_skills_that_write_nothing() -> None:
    files = RunFiles(CHAIN, GIVEN, {"read": {**GIVEN, "c": "read"}, "sum": None})

    assert files.found_by("send") == {**GIVEN, "c": "read"}


def test_a_removed_file_stays_removed() -> None:
    assert RunFiles(CHAIN, GIVEN, {"read": {"a": "given"}}).found_by("send") == {"a": "given"}


def test_what_one_skill_left_alone_does_not_undo_what_another_one_wrote() -> None:
    left = {"left": {**GIVEN, "a": "left"}, "right": {**GIVEN, "c": "right"}}

    assert RunFiles(SIDE_BY_SIDE, GIVEN, left).found_by("join") == {
        "a": "left",
        "b": "given",
        "c": "right",
    }


def test_where_two_wrote_the_same_path_the_later_one_of_the_plan_counts() -> None:
    left = {"right": {**GIVEN, "a": "right"}, "left": {**GIVEN, "a": "left"}}

    assert RunFiles(SIDE_BY_SIDE, GIVEN, left).found_by("join")["a"] == "right"


def test_a_skill_does_not_find_the_files_of_one_that_it_does_not_depend_on() -> None:
    files = RunFiles(SIDE_BY_SIDE, GIVEN, {"left": {**GIVEN, "c": "left"}})

    assert files.found_by("right") == GIVEN


def test_branches_of_different_length_keep_all_changes() -> None:
    plan = Plan({"read": (), "sum": ("read",), "other": (), "join": ("sum", "other")})
    left = {"read": {"a": "read", "b": "given"}, "other": {**GIVEN, "d": "other"}}

    assert RunFiles(plan, GIVEN, left).found_by("join") == {"a": "read", "b": "given", "d": "other"}


def test_the_files_now_are_those_of_all_skills_so_far() -> None:
    left = {"left": {**GIVEN, "a": "left"}, "join": {"a": "left", "end": "join"}}

    assert RunFiles(SIDE_BY_SIDE, GIVEN, left).now() == {"a": "left", "end": "join"}


def test_a_plan_of_many_diamonds_is_no_trouble() -> None:
    layers = [(f"l{n}", f"r{n}") for n in range(50)]
    needs = {side: layers[n - 1] if n else () for n, pair in enumerate(layers) for side in pair}

    assert RunFiles(Plan(needs), GIVEN, {"l0": {"a": "new"}}).found_by("r49") == {"a": "new"}
