"""The frontmatter's fields: which we know, what each may hold, and what is said when it does not."""

import re
from collections.abc import Iterator, Mapping

from yaml import SafeLoader

from omniforge.skills.allowed_tools import problem_of, split_rules, stray_star
from omniforge.skills.document import Report, is_skill_name
from omniforge.skills.frontmatter import Entry, Listing, Table, Text, Value
from omniforge.skills.output_schema import schema_problem

PORTABLE = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")
CLAUDE_CODE = (
    "model",
    "context",
    "user-invocable",
    "disable-model-invocation",
    "argument-hint",
    "arguments",
    "priority",
    "tags",
    "version",
)
UNUSED = ("when_to_use", "effort", "agent", "hooks", "paths", "shell")
FORBIDDEN = ("schedule", "trigger", "created-by", "source", "author")

OUTPUT_SCHEMA = "omniforge.output-schema"
TAGS = "omniforge.tags"

MAX_DESCRIPTION = 1024
MAX_COMPATIBILITY = 500
# Escaped, ten characters stand for one, and YAML ends a key on one line after 1,024.
MAX_METADATA_KEY = 100

_SAYS_WHEN = re.compile(
    r"\b(when|whenever|if|before|after|useful|triggers?|used? (this|it|for|to|by|as|on|in|at))\b",
    re.I,
)
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# What YAML 1.2 takes for a number or a truth value and PyYAML, which follows 1.1, does not.
_NOT_TEXT = re.compile(r"[-+]?(0[ox][0-9A-Fa-f]+|(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?)|[yYnN]")


class Fields:
    """Reads typed values out of a frontmatter table and reports what does not fit."""

    def __init__(self, table: Table, report: Report) -> None:
        self._entries, self._report = table.entries, report

    def check_names(self) -> None:
        """Refuse agent metadata, and warn of fields that mean nothing here."""
        for name, entry in self._entries.items():
            if is_agent_metadata(name):
                self._report.error(entry.line, "forbidden-field", belongs_in_database(name))
            elif name in UNUSED:
                message = f"{name!r} is a Claude Code field that OmniForge does not use"
                self._report.warning(entry.line, "unused-field", message)
            elif name not in PORTABLE + CLAUDE_CODE:
                self._report.warning(entry.line, "unknown-field", f"{name!r} is not a known field")

    def name(self, folder_name: str) -> str:
        entry, name = self._required("name")
        if entry and name and not is_skill_name(name):
            message = f"{name!r} has to be 1 to 64 of a-z and 0-9, with single hyphens between"
            self._report.error(entry.line, "name-format", message)
        elif entry and name and name != folder_name:
            message = (
                f"the name is {name!r} but the folder is {folder_name!r}; they have to be equal"
            )
            self._report.error(entry.line, "name-folder", message)
        return name

    def description(self) -> str:
        entry, text = self._required("description")
        if entry and len(text) > MAX_DESCRIPTION:
            message = f"the description has {len(text)} characters; {MAX_DESCRIPTION} are allowed"
            self._report.error(entry.line, "description-length", message)
        elif entry and text and not _SAYS_WHEN.search(text):
            message = "the description does not say when to use the skill; add 'Use when ...'"
            self._report.warning(entry.line, "description-when", message)
        return text

    def compatibility(self) -> str | None:
        text = self.text("compatibility")
        if text and len(text) > MAX_COMPATIBILITY:
            message = f"compatibility has {len(text)} characters; {MAX_COMPATIBILITY} are allowed"
            self._report.error(self._line("compatibility"), "compatibility-length", message)
        return text

    def allowed_tools(self) -> tuple[str, ...] | None:
        entry = self._entries.get("allowed-tools")
        if entry is None:
            return None
        rules = tuple(self._rules(self._texts(entry, "allowed-tools")))
        if not rules:
            message = (
                "no tool is listed, so the skill may call none; leave the field out for no limit"
            )
            self._report.warning(entry.line, "allowed-tools-empty", message)
        return rules

    def _rules(self, texts: list[Text]) -> Iterator[str]:
        for text in texts:
            for rule in split_rules(text.text):
                self._check_rule(rule, text.line)
                yield rule

    def _check_rule(self, rule: str, line: int) -> None:
        if problem := problem_of(rule):
            self._report.error(line, "allowed-tools-form", problem)
        elif stray_star(rule):
            message = f"{rule!r}: only ':*' at the end is a pattern; this '*' is taken literally"
            self._report.warning(line, "allowed-tools-star", message)

    def metadata(self) -> dict[str, str]:
        entry = self._entries.get("metadata")
        if entry is None or _is_blank(entry.value):
            return {}
        if not isinstance(entry.value, Table):
            self._report.error(entry.line, "field-type", "metadata has to be 'key: value' lines")
            return {}
        return dict(self._metadata_pairs(entry.value))

    def _metadata_pairs(self, table: Table) -> Iterator[tuple[str, str]]:
        for key, entry in table.entries.items():
            if not 1 <= len(key) <= MAX_METADATA_KEY:
                message = f"a metadata key has 1 to {MAX_METADATA_KEY} characters"
                self._report.error(entry.line, "metadata-key", message)
            elif not isinstance(entry.value, Text):
                message = f"{key!r} has to be a string; write lists and objects as JSON text"
                self._report.error(entry.line, "metadata-value", message)
            else:
                self._look_closer(key, entry.line, entry.value)
                yield key, entry.value.text

    def _look_closer(self, key: str, line: int, value: Text) -> None:
        if value.plain and not reads_as_text(value.text):
            message = f"put {value.text!r} in quotes; other readers do not take it for a string"
            self._report.warning(line, "metadata-unquoted", message)
        if is_agent_metadata(key):
            self._report.warning(line, "metadata-agent", belongs_in_database(key))
        if key == OUTPUT_SCHEMA and (problem := schema_problem(value.text)):
            self._report.error(line, "output-schema", f"{OUTPUT_SCHEMA} {problem}")

    def tags(self, metadata: Mapping[str, str]) -> tuple[str, ...]:
        if "tags" in self._entries:
            return self.texts("tags")
        return _cut_at_commas(metadata.get(TAGS, ""))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list, or one string with commas between its items."""
        entry = self._entries.get(name)
        if entry is None:
            return ()
        texts = self._texts(entry, name)
        return tuple(part for text in texts for part in _cut_at_commas(text.text))

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word for text in self.texts(name) for word in text.split())

    def text(self, name: str) -> str | None:
        """None when absent or blank."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if isinstance(entry.value, Text):
            return entry.value.text.strip() or None
        self._report.error(entry.line, "field-type", f"{name} has to be text")
        return None

    def choice(self, name: str, *choices: str) -> str | None:
        text = self.text(name)
        if text is None or text in choices:
            return text
        self._wrong_type(name, f"one of {', '.join(choices)}")
        return None

    def flag(self, name: str, default: bool) -> bool:
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in _BOOLEANS:
            self._wrong_type(name, "true or false")
        return _BOOLEANS.get(text.lower(), default)

    def number(self, name: str) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        if re.fullmatch(r"[+-]?[0-9]{1,9}", text):
            return int(text)
        self._wrong_type(name, "a whole number")
        return None

    def _required(self, name: str) -> tuple[Entry | None, str]:
        text = self.text(name)
        entry = self._entries.get(name)
        if not text and (entry is None or isinstance(entry.value, Text)):
            self._report.error(
                entry.line if entry else 1, f"{name}-missing", f"a skill needs a {name}"
            )
        return entry, text or ""

    def _texts(self, entry: Entry, name: str) -> list[Text]:
        value = entry.value
        items = value.items if isinstance(value, Listing) else (value,)
        texts = [item for item in items if isinstance(item, Text)]
        if len(texts) < len(items):
            self._report.error(
                entry.line, "field-type", f"{name} has to be text or a list of texts"
            )
        return texts

    def _wrong_type(self, name: str, expected: str) -> None:
        self._report.error(self._line(name), "field-type", f"{name} has to be {expected}")

    def _line(self, name: str) -> int:
        return self._entries[name].line


def is_agent_metadata(field: str) -> bool:
    return field.lower().replace("_", "-") in FORBIDDEN


def belongs_in_database(field: str) -> str:
    return f"{field!r} does not belong in SKILL.md: it belongs in the agent's database row"


def reads_as_text(plain: str) -> bool:
    """Whether any YAML reader takes these characters, unquoted, for a string."""
    resolvers = SafeLoader.yaml_implicit_resolvers.get(plain[:1], [])
    return not (_NOT_TEXT.fullmatch(plain) or any(looks.match(plain) for _, looks in resolvers))


def _is_blank(value: Value) -> bool:
    return isinstance(value, Text) and not value.text.strip()


def _cut_at_commas(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
