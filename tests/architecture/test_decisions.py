"""The decision records: numbered without a gap, in one form, and all of them listed."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))

SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]


def test_records_are_numbered_without_a_gap() -> None:
    numbers = [int(record.name[:4]) for record in RECORDS]

    assert numbers == list(range(1, len(RECORDS) + 1))


def test_the_index_lists_every_record_under_its_title() -> None:
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+?) \| ", index(), re.MULTILINE)

    assert listed == [
        (record.name[:4], record.name, title_of(record.read_text())) for record in RECORDS
    ]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record.name))
def test_a_record_has_the_form_of_all(record: Path) -> None:
    text = record.read_text()

    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    decision = text.split("## Decision\n")[1].split("\n## ")[0].strip()

    assert sections == SECTIONS
    assert re.search(r"^Status: (proposed|accepted|replaced by \[\d{4}\].*)$", text, re.MULTILINE)
    assert re.search(r"^Date: \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    assert sentences(decision) == 1, "a decision is one sentence that people can quote"
    assert sentences(text.split("## Context\n")[1].split("\n## ")[0].strip()) <= 4


def sentences(text: str) -> int:
    return len(re.findall(r"[.?!](?=\s|$)", text))


def title_of(text: str) -> str:
    return text.splitlines()[0].removeprefix("# ").partition(" ")[2]


def index() -> str:
    return (FOLDER / "README.md").read_text()
