"""A skill as we hold it in memory, and what can be said against one."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from pydantic import TypeAdapter, ValidationError

from omniforge.agents.config import SkillName
from omniforge.errors import SkillInvalid
from omniforge.journal.blobs import digest_of, manifest_bytes

SKILL_MD = "SKILL.md"

# More are of no use to a person, and a file of a megabyte could make a hundred thousand.
MAX_FINDINGS = 200

_NAME = TypeAdapter(SkillName)


def is_skill_name(text: str) -> bool:
    """Lowercase letters and digits with single hyphens between them, 1 to 64 characters."""
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong with a skill. `rule` is stable; `line` counts from 1, as an editor shows it."""

    file: str
    line: int
    severity: Severity
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity} {self.rule}: {self.message}"


class Report:
    """Collects findings while a skill is read. `file` is where they are unless one says otherwise."""

    def __init__(self, file: str = SKILL_MD) -> None:
        self._file = file
        self._findings: list[Finding] = []

    def error(self, line: int, rule: str, message: str, file: str = "") -> None:
        self._add(Severity.ERROR, file, line, rule, message)

    def warning(self, line: int, rule: str, message: str, file: str = "") -> None:
        self._add(Severity.WARNING, file, line, rule, message)

    def _add(self, severity: Severity, file: str, line: int, rule: str, message: str) -> None:
        is_first_error = severity is Severity.ERROR and not self.has_errors
        if len(self._findings) < MAX_FINDINGS or is_first_error:
            self._findings.append(Finding(file or self._file, line, severity, rule, message))

    @property
    def has_errors(self) -> bool:
        return bool(errors_in(self._findings))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found, by file and line."""
        return tuple(sorted(set(self._findings)))


def errors_in(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(each for each in findings if each.severity is Severity.ERROR)


def skill_invalid(name: str, findings: Iterable[Finding]) -> SkillInvalid:
    """The error for a skill with these findings: the first is in the message, all are in the details."""
    every = tuple(findings)
    errors = errors_in(every)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    first = f": {errors[0]}{more}" if errors else "."
    return SkillInvalid(
        f"Skill {name!r} is not valid{first}", skill=name, findings=[asdict(one) for one in every]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """One skill: what its SKILL.md says, and the bytes of its whole folder.

    `allowed_tools` is None when the skill declares no limit; a tuple, also an empty one, is a limit.
    The fields from `model` on come from the claude-code profile. They are read and never written.
    """

    name: str
    description: str
    body: str
    allowed_tools: tuple[str, ...] | None = None
    license: str | None = None
    compatibility: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Relative POSIX path -> content, SKILL.md included."""
    storage_layer: str = field(default="", compare=False)
    model: str | None = None
    context: str | None = None
    user_invocable: bool = True
    disable_model_invocation: bool = False
    argument_hint: str | None = None
    arguments: tuple[str, ...] = ()
    """Names for the positional arguments, in order."""
    priority: int | None = None
    tags: tuple[str, ...] = ()
    """From `tags`, or from `omniforge.tags` in the metadata where the field is absent."""
    version: str | None = None

    @property
    def supporting_files(self) -> tuple[str, ...]:
        """Paths of everything but SKILL.md, sorted."""
        return tuple(sorted(path for path in self.files if path != SKILL_MD))

    @property
    def content_hash(self) -> str:
        """The hash under which `put_folder` stores this folder: what an agent version pins."""
        return content_hash(self.files)


def content_hash(files: Mapping[str, bytes]) -> str:
    """What `put_folder` would answer for these files, without storing them."""
    manifest = {path: digest_of(content) for path, content in files.items()}
    return digest_of(manifest_bytes(manifest))
