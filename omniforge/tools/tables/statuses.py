"""What the words in a status column mean, in English and German."""

import re
from collections.abc import Sequence

from omniforge.tools.tables.table import Cell, folded

_DONE_WORDS_TEXT = """
    done closed complete completed finished resolved fixed shipped released cancelled canceled
    abandoned rejected archived obsolete duplicate wontfix erledigt fertig geschlossen
    abgeschlossen beendet gelöst behoben storniert abgebrochen abgelehnt archiviert verworfen
"""
DONE_WORDS = frozenset(_DONE_WORDS_TEXT.split())
DONE_PHRASES = frozenset(
    {
        *("won't do", "wont do", "won't fix", "not planned", "100%", "100 %"),
        *("x", "✓", "✔", "✅", "true", "yes", "ja", "wahr"),
    }
)
_OPEN_WORDS_TEXT = """
    open todo backlog new started progress doing review blocked waiting hold planned offen neu
    arbeit bearbeitung begonnen wartet blockiert geplant prüfung
"""
_OPEN_WORDS = frozenset(_OPEN_WORDS_TEXT.split())
# "not done", "to be closed", "noch nicht fertig"
_NEGATIONS_TEXT = """
    not to be never almost reopened nicht noch fast wieder
"""
_NEGATIONS = frozenset(_NEGATIONS_TEXT.split())


def is_done(status: Cell, further_words: Sequence[str] = ()) -> bool:
    """Whether nothing is left to do. Ticks, yes and `100 %` count; an empty status does not."""
    text = folded(status)
    if text in DONE_PHRASES or text in further_words:
        return True
    words = words_of(text)
    return bool(DONE_WORDS.intersection(words)) and not _NEGATIONS.intersection(words)


def is_status(cell: Cell) -> bool:
    """Whether a value is one of the usual words for where a task stands."""
    return is_done(cell) or bool(_OPEN_WORDS.intersection(words_of(folded(cell))))


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)
