import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.errors import TryAgain
from omniforge.tools.tables.reading import read_table
from omniforge.tools.tables.table import Table
from tests.support.requirements import requirement


def table(text: str | bytes, name: str = "t.csv") -> Table:
    return read_table(name, text if isinstance(text, bytes) else text.encode())


@requirement("TOOL-3")
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_recognised(mark: str) -> None:
    text = f'Name{mark}Note\nMia{mark}"a{mark} b"\nJon{mark}c, d\n'

    read = table(text)

    assert read.columns == ("Name", "Note")
    assert read.rows == (("Mia", f"a{mark} b"), ("Jon", "c, d")) or mark == ","


def test_a_decimal_comma_does_not_pass_for_a_delimiter() -> None:
    read = table("Article;Price\nNut;1,50\nBolt;2,75\n")

    assert read.rows == (("Nut", "1,50"), ("Bolt", "2,75"))


def test_the_line_with_which_excel_declares_a_delimiter_is_obeyed() -> None:
    assert table("sep=|\na|b\n1|2\n").columns == ("a", "b")


def test_quoted_values_keep_their_line_breaks_and_quotes() -> None:
    read = table('Task,Note\r\nA,"two\r\nlines, ""quoted"""\r\nB,\r\n\r\n\r\n')

    assert read.rows == (("A", 'two\r\nlines, "quoted"'), ("B", ""))


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("utf-8", None), ("utf-8-sig", None), ("utf-16", None), ("cp1252", "Windows-1252")],
)
def test_encodings_of_real_exports_are_read_and_a_guess_is_reported(
    encoding: str, note: str | None
) -> None:
    read = table("Name,Straße\nJörg,Ärmelkanal 3\n".encode(encoding))

    assert read.columns == ("Name", "Straße")
    assert read.rows == (("Jörg", "Ärmelkanal 3"),)
    assert any(note in said for said in read.notes) if note else not read.notes


def test_ragged_rows_are_reported_with_their_lines_and_not_fatal() -> None:
    read = table('a,b,c\n1,2\n"x\ny",5,6\n7,8,9,10\n1,2,3,,\n')

    assert read.rows == (("1", "2", ""), ("x\ny", "5", "6"), ("7", "8", "9"), ("1", "2", "3"))
    assert "Line 2 had fewer than 3 values; the missing ones are empty." in read.notes
    assert "Line 5 had more than 3 values; what was left over is ignored." in read.notes


def test_blank_and_repeated_headers_are_made_unique_and_reported() -> None:
    read = table("Name,,Name,name\n1,2,3,4\n")

    assert read.columns == ("Name", "column_2", "Name_2", "name")
    assert read.notes == ("Blank or repeated column names were made unique: column_2, Name_2.",)


def test_a_quotation_mark_that_is_never_closed_is_reported() -> None:
    read = table('a,b\n1,2\n3,"open\n5,6\n7,8\n')

    assert len(read.rows) == 2
    assert any("near line 3 is never closed" in note for note in read.notes)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\n", "is empty"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"PK\x03\x04...", "ZIP archive"),
        (b"<!DOCTYPE html><html><table>", "a web page"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b"Dear all, here are the notes of last week.\nWe met on Monday, as ever.\n" * 3, "plain text"),
        (b"It was a dark and stormy night in March\nand the rain fell in torrents over it\n", "plain text"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_what_it_looks_like(content: bytes, says: str) -> None:
    with pytest.raises(TryAgain, match=says):
        table(content)


def test_a_list_of_short_names_is_a_table_of_one_column() -> None:
    read = table("Name\nMia\nJon Doe\n")

    assert read.columns == ("Name",)
    assert "The file has one column only." in read.notes


def test_json_objects_become_rows_with_all_their_fields() -> None:
    read = table('[{"a": 1, "b": "x"}, {"a": 2.5, "c": [1]}]', "t.json")

    assert read.columns == ("a", "b", "c")
    assert read.rows == ((1, "x", None), (2.5, None, "[1]"))
    assert any("not every field" in note for note in read.notes)


def test_the_one_list_in_a_json_object_is_the_table() -> None:
    read = table('{"total": 1, "tasks": [{"a": true}]}', "t.json")

    assert read.rows == ((True,),)
    assert read.notes == ("The rows are the list under 'tasks'.",)


def test_json_lines_are_rows() -> None:
    assert table('{"a": 1}\n{"a": 2}\n', "t.jsonl").rows == ((1,), (2,))


@pytest.mark.parametrize(
    "text", ["{", "[]", "5", '["a"]', '{"a": 1}', "[" * 100_000, "9" * 5_000, '[{"a": 1}, 2]']
)
def test_json_without_rows_is_refused(text: str) -> None:
    with pytest.raises(TryAgain):
        table(text, "t.json")


def test_csv_that_opens_with_a_bracket_is_still_csv() -> None:
    assert table("[Id],[Name]\n1,Mia\n").columns == ("[Id]", "[Name]")


MESSY = st.text(st.sampled_from("ab1,;|\t\"\n\r '{}[]:é\0\ufeff"), max_size=80)


@requirement("TOOL-3")
@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=120), MESSY.map(str.encode)),
    suffix=st.sampled_from(["csv", "json"]),
)
def test_reading_any_bytes_gives_an_even_table_or_words_for_the_model(
    content: bytes, suffix: str
) -> None:
    try:
        read = read_table(f"any.{suffix}", content)
    except TryAgain:
        return

    assert len(set(read.columns)) == len(read.columns)
    assert all(len(row) == len(read.columns) for row in read.rows)
