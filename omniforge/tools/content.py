"""Telling what bytes are: text in some encoding, or a kind of file that is not text."""

import codecs
from dataclasses import dataclass

_SIGNATURES = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (an Excel or Word document, perhaps)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"),
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 8_192
_ORDINARY = frozenset("\t\n\r\f\v\x1a\x1b")


@dataclass(frozen=True, slots=True)
class Text:
    """Decoded text and the encoding it was read with."""

    text: str
    encoding: str


def binary_kind(content: bytes) -> str | None:
    """What a file is when it is not text, as a noun phrase; None for text."""
    for signature, kind in _SIGNATURES:
        if content.startswith(signature):
            return kind
    if any(content.startswith(bom) for bom, _ in _BOMS):
        return None
    sample = content[:_LOOKED_AT].decode("latin-1")
    strange = sum(1 for char in sample if char < " " and char not in _ORDINARY)
    return "a binary file" if "\0" in sample or strange * 20 > len(sample) else None


def decode(content: bytes) -> Text:
    """Read text as UTF-8, else as Windows-1252, else as Latin-1, which takes any byte."""
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return Text(content.decode(encoding, "replace"), encoding.removesuffix("-sig"))
    for encoding in ("utf-8", "cp1252"):
        try:
            return Text(content.decode(encoding), encoding)
        except UnicodeDecodeError:
            continue
    return Text(content.decode("latin-1"), "latin-1")
