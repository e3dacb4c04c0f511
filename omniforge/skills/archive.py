"""Skill folders that come from outside: a directory, a zip, a JSON body. Nothing here trusts a path."""

import base64
import binascii
import io
import posixpath
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omniforge.errors import ArchiveRejected, SkillInvalid
from omniforge.skills.document import SKILL_MD, Finding, Report, errors_in, skill_invalid
from omniforge.skills.frontmatter import Text, decode, read_table, split

MAX_FILES = 200
MAX_FOLDER_BYTES = 20 * 1024 * 1024
MAX_SKILL_MD_BYTES = 1024 * 1024

_CHUNK = 64 * 1024
_CENTRAL_HEADER = b"PK\x01\x02"
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", "__pycache__", ".git"}
_DRIVE = re.compile(r"[A-Za-z]:")


# ---- paths -----------------------------------------------------------------------------------


def path_problem(path: str) -> str | None:
    """Why a path may not stand in a skill's folder; None for a plain relative POSIX path."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "is not valid text"
    if not path or any(unicodedata.category(each) == "Cc" for each in path):
        return "is empty or holds control characters"
    if path.startswith("/") or "\\" in path or _DRIVE.match(path):
        return "is not a relative path with forward slashes"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "has an empty, '.' or '..' part"
    if len(encoded) > 1024 or any(len(part.encode()) > 255 for part in path.split("/")):
        return "is too long"
    return None


def clashes(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs that cannot stand side by side: equal but for case, or a file where another has a folder."""
    by_key: dict[str, str] = {}
    for path in sorted(paths):
        key = _key_of(path)
        if key in by_key:
            yield by_key[key], path
        by_key.setdefault(key, path)
    for key, path in by_key.items():
        yield from ((by_key[folder], path) for folder in _parents(key) if folder in by_key)


def is_junk(path: str) -> bool:
    """What operating systems and version control leave behind; it is never part of a skill."""
    return any(part in _JUNK or part.startswith("._") for part in path.split("/"))


def _key_of(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder that these files stand in, directly or not."""
    return {folder for path in paths for folder in _parents(path)}


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    return ("/".join(parts[:end]) for end in range(len(parts), 0, -1))


def check_files(files: Mapping[str, bytes], report: Report) -> None:
    """Report what a folder may not be, whatever its SKILL.md says: too large, or with unsafe paths."""
    if len(files) > MAX_FILES:
        report.error(1, "too-many-files", f"a skill's folder may hold {MAX_FILES} files")
        return
    if sum(map(len, files.values())) > MAX_FOLDER_BYTES:
        report.error(1, "folder-too-large", f"a skill's folder may hold {MAX_FOLDER_BYTES} bytes")
    for path in files:
        if problem := path_problem(path):
            report.error(1, "path", f"the file path {path!r} {problem}")
    for first, second in clashes(files):
        report.error(1, "path-clash", f"{second!r} cannot stand beside {first!r}")


# ---- a folder on disk ------------------------------------------------------------------------


def read_folder(path: Path) -> dict[str, bytes]:
    """Every file of a skill's folder by its relative path.

    Raises:
        SkillInvalid: A file leaves the folder through a symlink, or the folder breaks a limit.
    """
    files, findings = scan_folder(path)
    if errors_in(findings):
        raise skill_invalid(path.name, findings)
    return files


def scan_folder(path: Path) -> tuple[dict[str, bytes], tuple[Finding, ...]]:
    """Like `read_folder`, with what was wrong as findings beside the files that could be read."""
    scan = _FolderScan(path)
    try:
        scan.walk(path)
    except OSError as error:
        scan.report.error(1, "unreadable", f"the folder cannot be read: {error.strerror}")
    check_files(scan.files, scan.report)
    return scan.files, scan.report.findings


class _FolderScan:
    """Stops just past the limits, so that what it has read shows that they are broken."""

    def __init__(self, root: Path) -> None:
        self._root, self._real_root = root, root.resolve()
        self._bytes = 0
        self.files: dict[str, bytes] = {}
        self.report = Report()

    def walk(self, folder: Path) -> None:
        for entry in sorted(folder.iterdir()):
            name = entry.relative_to(self._root).as_posix()
            if is_junk(name) or self._is_over_limits():
                continue
            if problem := path_problem(name):
                self.report.error(1, "path", f"the file path {name!r} {problem}")
            elif entry.is_dir() and not entry.is_symlink():
                self.walk(entry)
            elif self._is_plain_file(entry, name):
                self._read(entry, name)

    def _is_over_limits(self) -> bool:
        return len(self.files) > MAX_FILES or self._bytes > MAX_FOLDER_BYTES

    def _is_plain_file(self, entry: Path, name: str) -> bool:
        if not entry.is_file():
            message = "only files, folders and links to files of the same skill may stand here"
            self.report.error(1, "not-a-file", message, name)
            return False
        if not entry.resolve().is_relative_to(self._real_root):
            self.report.error(1, "symlink", "the link leaves the skill's folder", name)
            return False
        return True

    def _read(self, entry: Path, name: str) -> None:
        with entry.open("rb") as file:
            content = file.read(MAX_FOLDER_BYTES + 1)
        self.files[name] = content
        self._bytes += len(content)


# ---- a zip -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an upload may cost. The limits of a single skill are checked when it is parsed."""

    archive_bytes: int = 50 * 1024 * 1024
    entries: int = 2_000
    entry_bytes: int = MAX_FOLDER_BYTES
    total_bytes: int = 100 * 1024 * 1024
    ratio: int = 200
    """Inflated to packed size. Small entries are free of it: repetitive text packs very well."""
    ratio_free_bytes: int = 1024 * 1024


DEFAULT_LIMITS = ArchiveLimits()


def read_zip(data: bytes, limits: ArchiveLimits = DEFAULT_LIMITS) -> dict[str, dict[str, bytes]]:
    """The skills in a zip: name -> files. A skill is a folder with a SKILL.md, at any depth.

    A zip of one folder's *content* (SKILL.md at its top) takes the skill's name from the
    frontmatter. Loose files beside or above the skill folders, such as a README, are left out.

    Raises:
        ArchiveRejected: The zip is broken, unsafe or too large; the message names the entry.
    """
    if len(data) > limits.archive_bytes:
        raise ArchiveRejected(f"The archive is larger than {limits.archive_bytes} bytes.")
    # Counted before the directory is built in memory. A stored zip inside may add a few.
    if data.count(_CENTRAL_HEADER) > limits.entries * 2:
        raise ArchiveRejected(f"The archive has more than {limits.entries} entries.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _Unpacking(archive, limits).files()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
        raise ArchiveRejected(f"The archive is not a readable zip: {error}.") from error
    return _by_skill(files)


class _Unpacking:
    def __init__(self, archive: zipfile.ZipFile, limits: ArchiveLimits) -> None:
        self._archive, self._limits = archive, limits
        self._left = self._declared_left = limits.total_bytes

    def files(self) -> dict[str, bytes]:
        entries = self._archive.infolist()
        if len(entries) > self._limits.entries:
            raise ArchiveRejected(f"The archive has more than {self._limits.entries} entries.")
        for entry in entries:
            self._check(entry)
        wanted = [each for each in entries if not each.is_dir() and not is_junk(each.filename)]
        _refuse_clashes([each.filename for each in wanted])
        return {entry.filename: self._inflate(entry) for entry in wanted}

    def _check(self, entry: zipfile.ZipInfo) -> None:
        name = entry.orig_filename
        if problem := path_problem(name.removesuffix("/")):
            raise _refused(name, problem)
        if entry.flag_bits & _ENCRYPTED:
            raise _refused(name, "is encrypted")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(name, "is a link or a device, not a file")
        if entry.compress_type not in _METHODS:
            raise _refused(name, "is packed with a method other than store and deflate")
        self._declared_left -= entry.file_size
        self._check_total(name, self._declared_left)
        self._check_size(name, entry.file_size, entry.compress_size)

    def _check_total(self, name: str, left: int) -> None:
        if left < 0:
            raise _refused(name, f"goes over {self._limits.total_bytes} bytes in all")

    def _check_size(self, name: str, size: int, packed: int) -> None:
        if size > self._limits.entry_bytes:
            raise _refused(name, f"unpacks to more than {self._limits.entry_bytes} bytes")
        if size > self._limits.ratio_free_bytes and size > packed * self._limits.ratio:
            raise _refused(name, f"unpacks to more than {self._limits.ratio} times its size")

    def _inflate(self, entry: zipfile.ZipInfo) -> bytes:
        content = bytearray()
        try:
            with self._archive.open(entry) as source:
                while chunk := source.read(_CHUNK):
                    content += chunk
                    self._spend(entry, len(chunk), len(content))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise _refused(entry.filename, f"cannot be unpacked ({error})") from error
        return bytes(content)

    def _spend(self, entry: zipfile.ZipInfo, chunk: int, so_far: int) -> None:
        self._left -= chunk
        self._check_total(entry.filename, self._left)
        self._check_size(entry.filename, so_far, entry.compress_size)


def _refused(name: str, why: str) -> ArchiveRejected:
    return ArchiveRejected(f"The entry {name!r} {why}.", entry=name)


def _refuse_clashes(names: list[str]) -> None:
    for first, second in clashes(names):
        raise _refused(second, f"clashes with the entry {first!r}")


# ---- which files are which skill -------------------------------------------------------------


def _by_skill(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    roots = _roots(files)
    if not roots:
        raise ArchiveRejected(f"The archive has no {SKILL_MD}.")
    skills: dict[str, dict[str, bytes]] = {}
    for root in roots:
        inside = {path.removeprefix(root): content for path, content in _under(root, files)}
        name = posixpath.basename(root.rstrip("/")) or _declared_name(inside[SKILL_MD])
        if name in skills:
            raise _refused(root + SKILL_MD, f"is a second skill {name!r}")
        skills[name] = inside
    _refuse_strays(files, roots)
    return skills


def _roots(files: Iterable[str]) -> list[str]:
    """Folders with a SKILL.md (each ends with a slash, the top is ''), without those inside another."""
    every = sorted(p.removesuffix(SKILL_MD) for p in files if posixpath.basename(p) == SKILL_MD)
    roots: list[str] = []
    for root in every:
        if not any(root.startswith(outer) for outer in roots):
            roots.append(root)
    return roots


def _under(root: str, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    return ((path, content) for path, content in files.items() if path.startswith(root))


def _refuse_strays(files: Iterable[str], roots: list[str]) -> None:
    above = {"", *folders_of(root.rstrip("/") for root in roots)}
    for path in files:
        is_loose = posixpath.dirname(path) in above or f"/{path}".count("/.")
        if not is_loose and not path.startswith(tuple(roots)):
            raise _refused(path, f"belongs to no skill: there is no {SKILL_MD} in its folder")


def _declared_name(skill_md: bytes) -> str:
    report = Report()
    text = decode(skill_md, report)
    halves = split(text, report) if text is not None else None
    table = read_table(halves.frontmatter, report) if halves else None
    entry = table.entries.get("name") if table else None
    if entry and isinstance(entry.value, Text) and entry.value.text:
        return entry.value.text
    raise _refused(SKILL_MD, "has no readable name, and there is no folder to take it from")


# ---- a JSON body -----------------------------------------------------------------------------


def from_json(files: Mapping[str, str | Mapping[str, str]]) -> dict[str, bytes]:
    """Files as an API body gives them: text as it is, anything else as `{"base64": "..."}`.

    Raises:
        SkillInvalid: A path is unsafe, or a content is neither text nor base64.
    """
    for path in files:
        if problem := path_problem(path):
            raise SkillInvalid(f"The file path {path!r} {problem}.", file=path)
    return {path: _bytes_of(path, content) for path, content in files.items()}


def _bytes_of(path: str, content: str | Mapping[str, str]) -> bytes:
    try:
        if isinstance(content, str):
            return content.encode()
        if set(content) == {"base64"}:
            return base64.b64decode(content["base64"], validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise SkillInvalid(f"The file {path!r} cannot be decoded: {error}.", file=path) from error
    raise SkillInvalid(f'The file {path!r} has to be text or {{"base64": "..."}}.', file=path)
