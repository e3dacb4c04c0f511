"""Amounts as a person reads them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


def dollars(amount: "Decimal | None") -> str:
    """To the cent, or where that would hide it to two digits that count; `-` is not known."""
    if amount is None:
        return "-"
    places = 2 if not amount or abs(amount) >= 1 else 1 - amount.adjusted()
    return f"${amount:.{max(places, 2)}f}"
