"""Reading SKILL.md: what is understood, what is refused, and on which line."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from omniforge.errors import SkillInvalid
from omniforge.skills import Severity, SkillParser, validate, validate_path
from omniforge.skills.document import errors_in
from tests.skills.making import BODY, DESCRIPTION, folder, found, put, rules_of, skill_md
from tests.support.requirements import requirement

NAME = "weekly-report"


@requirement("SKL-1")
def test_the_portable_profile_is_read_whole() -> None:
    files = folder(
        "license: Apache-2.0",
        "compatibility: needs a Notion workspace",
        "allowed-tools: notion_search slack_post(#team:*)",
        "metadata:",
        "  omniforge.tags: reports, notion",
        '  team: "7"',
    )

    skill = SkillParser().parse(files, NAME)

    assert (skill.name, skill.description, skill.body) == (NAME, DESCRIPTION, BODY)
    assert (skill.license, skill.compatibility) == ("Apache-2.0", "needs a Notion workspace")
    assert skill.allowed_tools == ("notion_search", "slack_post(#team:*)")
    assert skill.metadata == {"omniforge.tags": "reports, notion", "team": "7"}
    assert skill.tags == ("reports", "notion")


@requirement("SKL-1")
def test_the_claude_code_profile_is_read_without_a_complaint() -> None:
    files = folder(
        "model: claude-sonnet-4-5",
        "context: fork",
        "user-invocable: no",
        "disable-model-invocation: true",
        "argument-hint: [issue] [branch]".replace("[", "'[", 1) + "'",
        "arguments: [issue, branch]",
        "priority: 3",
        "tags: [reports, slack]",
        "version: 1.10",
        "allowed-tools: [Read, 'Bash(git diff:*)']",
    )

    reading = SkillParser().read(files, NAME)

    skill = reading.skill_or_raise()
    assert reading.findings == ()
    assert (skill.model, skill.context, skill.priority) == ("claude-sonnet-4-5", "fork", 3)
    assert (skill.user_invocable, skill.disable_model_invocation) == (False, True)
    assert (skill.arguments, skill.tags, skill.version) == (
        ("issue", "branch"),
        ("reports", "slack"),
        "1.10",
    )
    assert skill.allowed_tools == ("Read", "Bash(git diff:*)")


@requirement("FR-6", "SKL-1")
@pytest.mark.parametrize(
    "field", ["schedule", "trigger", "created-by", "source", "author", "created_by"]
)
def test_agent_metadata_is_refused_with_its_line_and_the_place_it_belongs(field: str) -> None:
    findings = validate(folder("license: MIT", f"{field}: x"), NAME)

    (finding,) = findings
    assert (finding.line, finding.rule) == (5, "forbidden-field")
    assert f"{field!r} does not belong in SKILL.md: it belongs in the agent's database row" in str(
        finding
    )


@requirement("SKL-1")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["colour: red"], (4, "unknown-field")),
        (["hooks: {}"], (4, "unused-field")),
        (["license: MIT", "license: GPL"], (5, "duplicate-key")),
        (["metadata:", "  a: x", "  a: x"], (6, "duplicate-key")),
        (["metadata: &m", "  a: x"], (4, "yaml-anchor")),
        (["license: *m"], (4, "yaml-anchor")),
        (["license: !!str x"], (4, "yaml-tag")),
        (["license: a: b"], (4, "yaml-syntax")),
        (["license: MIT", "\ttabs: x"], (5, "yaml-syntax")),
        (["license: [MIT]"], (4, "field-type")),
        (["priority: high"], (4, "field-type")),
        (["user-invocable: maybe"], (4, "field-type")),
        (["context: elsewhere"], (4, "field-type")),
        (["metadata: text"], (4, "field-type")),
        (["metadata:", "  ? [a]", "  : b"], (5, "field-type")),
        (["metadata:", "  a: [x]"], (5, "metadata-value")),
        (["metadata:", "  '': x"], (5, "metadata-key")),
        (["metadata:", "  a: 1.0"], (5, "metadata-unquoted")),
        (["metadata:", "  a: yes"], (5, "metadata-unquoted")),
        (["metadata:", "  author: me"], (5, "metadata-agent")),
        (["compatibility: " + "x" * 501], (4, "compatibility-length")),
        (["allowed-tools:"], (4, "allowed-tools-empty")),
        (["allowed-tools: Bash(git"], (4, "allowed-tools-form")),
        (["allowed-tools:", "  - Read", "  - Bash()"], (6, "allowed-tools-form")),
        (["allowed-tools: Bash(git *)"], (4, "allowed-tools-star")),
        (["x: " + "[" * 20 + "]" * 20], (4, "yaml-too-deep")),
        (["# " + "x" * 70_000], (1, "frontmatter-too-large")),
    ],
)
def test_each_broken_line_is_named(lines: list[str], expected: tuple[int, str]) -> None:
    assert found(*lines) == [expected]


@requirement("SKL-1")
@pytest.mark.parametrize(
    ("schema", "is_valid"),
    [
        ('{"type": "object", "properties": {"count": {"type": "integer", "minimum": 0}}}', True),
        ('{"$ref": "#/$defs/row", "$defs": {"row": {"anyOf": [{"type": "null"}, true]}}}', True),
        ("{", False),
        ("[]", False),
        ('{"type": "text"}', False),
        ('{"properties": {"a": {"type": 3}}}', False),
        ('{"properties": {"a": 3}}', False),
        ('{"allOf": []}', False),
        ('{"pattern": "("}', False),
        ('{"minLength": 1e999}', False),
        ('{"required": [1]}', False),
        ('{"$ref": "https://example.com/schema"}', False),
        ("[" * 100_000, False),
    ],
)
def test_an_output_schema_has_to_be_a_json_schema(schema: str, is_valid: bool) -> None:
    findings = found("metadata:", f"  omniforge.output-schema: '{schema}'")

    assert findings == (
        []
        if is_valid
        else [(5, "output-schema")]
        if len(schema) < 64_000
        else [(1, "frontmatter-too-large")]
    )


@requirement("SKL-1")
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name: x\n", (1, "frontmatter-missing")),
        (b"---\nname: x\n", (1, "frontmatter-unclosed")),
        (b"---\n- a\n---\nbody", (2, "frontmatter-not-a-mapping")),
        (b"---\nname: x\n---\n\xff\n", (4, "not-utf8")),
        (b"---\nname: x\nlicense: \x07\n---\nbody", (3, "yaml-syntax")),
        (b"x" * (1024 * 1024 + 1), (1, "skill-md-too-large")),
    ],
)
def test_a_file_that_cannot_be_read_says_where(content: bytes, expected: tuple[int, str]) -> None:
    (finding,) = validate({"SKILL.md": content}, "x")

    assert (finding.line, finding.rule) == expected


@requirement("SKL-1")
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Weekly", "name-format"),
        ("weekly--report", "name-format"),
        ("-weekly", "name-format"),
        ("w" * 65, "name-format"),
        ("bericht-für-alle", "name-format"),
        ("monthly-report", "name-folder"),
        ("''", "name-missing"),
    ],
)
def test_a_name_is_checked_against_the_standard_and_its_folder(name: str, rule: str) -> None:
    (finding,) = validate({"SKILL.md": skill_md(name=name)}, NAME)

    assert (finding.line, finding.rule) == (2, rule)


def test_a_description_is_needed_bounded_and_says_when() -> None:
    def rules(text: str) -> list[str]:
        content = f"---\nname: {NAME}\ndescription: {text}\n---\nbody".encode()
        return [each.rule for each in validate({"SKILL.md": content}, NAME)]

    assert rules("") == ["description-missing"]
    assert rules("Use when asked. " + "x" * 1024) == ["description-length"]
    assert rules("Makes weekly reports.") == ["description-when"]
    assert rules("Makes reports whenever a week ends.") == []


@requirement("SKL-1")
def test_words_that_yaml_would_turn_into_values_stay_text() -> None:
    skill = SkillParser().parse(folder("license: no", "version: 2024-01-01", "model: 1e3"), NAME)

    assert (skill.license, skill.version, skill.model) == ("no", "2024-01-01", "1e3")


@requirement("SKL-1")
def test_a_byte_order_mark_and_windows_line_ends_change_neither_text_nor_lines() -> None:
    content = b"\xef\xbb\xbf" + skill_md("colour: red").replace(b"\n", b"\r\n")

    reading = SkillParser().read({"SKILL.md": content}, NAME)

    assert reading.skill_or_raise().body == BODY
    assert [(each.line, each.rule) for each in reading.findings] == [(4, "unknown-field")]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    assert found('license: "a\u2028b \U0001f600"', "colour: red") == [(5, "unknown-field")]


def test_a_finding_reads_like_a_compilers() -> None:
    (finding,) = validate(folder("colour: red"), NAME)

    assert str(finding) == "SKILL.md:4: warning unknown-field: 'colour' is not a known field"
    assert finding.severity is Severity.WARNING


@requirement("SKL-1")
def test_an_invalid_skill_is_refused_with_all_its_findings() -> None:
    with pytest.raises(SkillInvalid) as refused:
        SkillParser().parse(folder("author: me", "colour: red", body=""), NAME)

    assert list(rules_of(refused.value)) == ["forbidden-field", "unknown-field", "body-empty"]
    assert "SKILL.md:4: error forbidden-field" in refused.value.message
    assert "(and 1 more)" in refused.value.message


@requirement("SKL-1")
def test_files_that_the_text_mentions_and_the_folder_lacks_are_named_once() -> None:
    body = (
        "See [guide](references/guide.md#top) and [site](https://example.com/a.md).\n"
        "Run `${SKILL_DIR}/scripts/run.py`, then scripts/run.py again; assets/ has `assets/logo.png`.\n"
        "Not files: handlers[0](event), [top](#top), other/scripts/x.py."
    )
    files = {**folder(body=body), "assets/logo.png": b""}

    findings = validate(files, NAME)

    assert [(each.line, each.message.split("'")[1]) for each in findings] == [
        (6, "references/guide.md"),
        (7, "scripts/run.py"),
    ]


STEPS = """
Steps:
1. Find them: `table_query {"table": "${input.table}"}`
2. Tell them: `slack_post {text: "x"}`
3. Say `Hello {name}` and `list_files`
4. Look
   around: `table_query {"table": ${steps.1.count}}`
4. Again: `` table_query {"q": "`x`"} ``
```
5. `slack_post {"broken}`
```
"""


@requirement("SKL-1")
def test_steps_that_could_not_be_followed_offline_are_warned_of() -> None:
    body = STEPS.strip()

    findings = found("allowed-tools: table_query", body=body)

    assert findings == [
        (9, "step-arguments"),
        (9, "step-tool"),
        (12, "step-arguments"),
        (13, "step-number"),
    ]


@requirement("SKL-1", "SKL-8")
def test_a_path_may_be_the_folder_or_the_file_in_it(tmp_path: Path) -> None:
    place = put(tmp_path / NAME, {**folder(), "scripts/a.py": b"print()", ".DS_Store": b"x"})

    skill = SkillParser().parse_full(place, storage_layer="agent")

    assert skill == SkillParser().parse_full(place / "SKILL.md")
    assert skill.storage_layer == "agent"
    assert skill.supporting_files == ("scripts/a.py",)


@requirement("SKL-1")
def test_a_folder_of_skills_is_validated_as_one(tmp_path: Path) -> None:
    put(tmp_path / "weekly-report", folder("colour: red"))
    put(tmp_path / "monthly", {"skill.md": skill_md(name="monthly")})
    put(tmp_path / "notes", {"readme.txt": b"no skill"})

    findings = [str(each).split(": ")[0:2] for each in validate_path(tmp_path)]

    assert findings == [
        [f"{tmp_path}/monthly/SKILL.md:1", "error skill-md-missing"],
        [f"{tmp_path}/weekly-report/SKILL.md:4", "warning unknown-field"],
    ]
    assert [each.rule for each in validate_path(tmp_path / "notes")] == ["skill-md-missing"]
    assert [each.rule for each in validate_path(tmp_path / "nowhere")] == ["skill-md-missing"]


def test_unsafe_and_clashing_paths_in_a_folder_are_errors() -> None:
    files = folder() | {
        "/etc/x": b"",
        "a/../b": b"",
        "Readme": b"",
        "README": b"",
        "a": b"",
        "a/b": b"",
    }

    rules = [finding.rule for finding in validate(files, NAME)]

    assert rules == ["path", "path", "path-clash", "path-clash", "path-clash"]


def test_a_long_list_of_findings_is_cut_but_never_loses_the_fact_of_an_error() -> None:
    reading = SkillParser().read(folder(*(f"k{n}: x" for n in range(500)), body=""), NAME)

    assert len(reading.findings) == 201
    assert [each.rule for each in errors_in(reading.findings)] == ["body-empty"]


def test_too_many_or_too_large_files_are_errors() -> None:
    many = folder() | {f"references/{number}.md": b"" for number in range(200)}
    large = folder() | {"assets/film": bytes(20 * 1024 * 1024)}

    assert [each.rule for each in validate(many, NAME)] == ["too-many-files"]
    assert [each.rule for each in validate(large, NAME)] == ["folder-too-large"]


PIECES = st.sampled_from(
    [
        "---",
        "\n",
        "name: x",
        "description: ",
        "metadata:",
        "  a: ",
        "allowed-tools: ",
        "Bash(",
        ")",
        "&a",
        "*a",
        "!!x",
        "[",
        "{",
        '"',
        "'",
        "|",
        "1. `t {",
        "`",
        "${",
        "](",
        "scripts/",
        "\r",
        "\x00",
        "\u2028",
        " ",
    ]
)
BROKEN = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=40).map(
        lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
    ),
    st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=30).map(
        lambda parts: b"---\n" + "\n".join(parts).encode("utf-8", "surrogatepass") + b"\n---\nbody"
    ),
)


@requirement("SKL-1")
@given(content=BROKEN, path=st.text(max_size=12), folder_name=st.text(max_size=8))
@example(content=b"---\n" + b"? " * 500 + b"\n---\n", path="/", folder_name="")
@example(content=b"---\n" + b"[" * 60_000 + b"\n---\n", path="//a", folder_name=".")
@settings(deadline=None, max_examples=250)
def test_no_input_makes_the_parser_do_anything_but_report(
    content: bytes, path: str, folder_name: str
) -> None:
    reading = SkillParser().read({"SKILL.md": content, path: b"x"}, folder_name)

    assert (reading.skill is None) == bool(errors_in(reading.findings))
    lines = content.count(b"\n") + content.count(b"\r") + 1
    assert all(1 <= finding.line <= lines + 1 for finding in reading.findings)
