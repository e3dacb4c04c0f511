"""The file in which a company writes down its own prices."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

import yaml

from omniforge.agents.runs import TokenUsage
from omniforge.errors import PricesInvalid

_PRICES = (
    "input_per_million",
    "output_per_million",
    "cache_read_per_million",
    "cache_write_per_million",
)
_FIELDS = (*_PRICES, "context_window", "from")


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """Dollars per million tokens, and the context window in tokens, valid from a date (UTC) on."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    window: int | None = None
    since: date = date.min

    def cost(self, usage: TokenUsage) -> Decimal:
        millionths = (
            self.input * usage.input_tokens
            + self.output * usage.output_tokens
            + self.cache_read * usage.cache_read_tokens
            + self.cache_write * usage.cache_write_tokens
        )
        return millionths.scaleb(-6)


class PriceFile:
    """Prices by model id (any case). A model has one entry, or a list of entries with dates.

    ```yaml
    claude-sonnet-5-5: {input_per_million: 1.80, output_per_million: 9}
    qwen3: {input_per_million: 0, output_per_million: 0, context_window: 32768}
    our-own-model:
      - {input_per_million: 1, output_per_million: 4, from: 2026-01-01}
      - {input_per_million: 2, output_per_million: 8, from: 2026-07-01}
    ```

    Cached tokens cost what input costs unless the entry says otherwise. Before the first date of
    a model its price here does not count.

    Raises:
        PricesInvalid: The file is missing or wrong; the message names the line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._prices = dict(self._models())

    def at(self, model: str, when: datetime) -> OwnPrice | None:
        day = when.astimezone(UTC).date()
        valid = [price for price in self._prices.get(model.lower(), ()) if price.since <= day]
        return max(valid, key=lambda price: price.since, default=None)

    def _models(self) -> Iterator[tuple[str, list[OwnPrice]]]:
        root = self._root()
        if root is None:
            return
        for key, value in self._pairs(root):
            entries = value.value if isinstance(value, yaml.SequenceNode) else [value]
            yield key.lower(), [self._price(entry) for entry in entries]

    def _root(self) -> yaml.Node | None:
        try:
            return yaml.compose(self._path.read_text("utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError) as error:
            raise PricesInvalid(f"The price file {self._path} cannot be read: {error}.") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._refuse(f"not valid YAML ({error.problem})", mark.line if mark else 0)
        except yaml.YAMLError as error:
            self._refuse(f"not valid YAML ({' '.join(str(error).split())})", 0)

    def _pairs(self, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._refuse("expected names with values below them", node.start_mark.line)
        seen = set()
        for key, value in node.value:
            name = str(key.value)
            if name.lower() in seen:
                self._refuse(f"{name!r} is there twice", key.start_mark.line)
            seen.add(name.lower())
            yield name, value

    def _price(self, entry: yaml.Node) -> OwnPrice:
        fields = dict(self._pairs(entry))
        for name, node in fields.items():
            if name not in _FIELDS:
                known = ", ".join(_FIELDS)
                self._refuse(f"{name!r} is not known; known are {known}", node.start_mark.line)
        per_million = {
            name: self._dollars(fields[name], name) for name in _PRICES if name in fields
        }
        for name in ("input_per_million", "output_per_million"):
            if name not in per_million:
                self._refuse(f"{name!r} is missing", entry.start_mark.line)
        base = per_million["input_per_million"]
        return OwnPrice(
            input=base,
            output=per_million["output_per_million"],
            cache_read=per_million.get("cache_read_per_million", base),
            cache_write=per_million.get("cache_write_per_million", base),
            window=self._tokens(fields["context_window"]) if "context_window" in fields else None,
            since=self._date(fields["from"]) if "from" in fields else date.min,
        )

    def _dollars(self, node: yaml.Node, name: str) -> Decimal:
        try:
            dollars = Decimal(node.value if isinstance(node.value, str) else "?")
        except InvalidOperation:
            dollars = Decimal("NaN")
        # A price of a million dollars per million tokens is a typing error, not a model.
        if not dollars.is_finite() or not 0 <= dollars <= 1_000_000:
            self._refuse(f"{name!r} is not a price in dollars", node.start_mark.line)
        return dollars

    def _tokens(self, node: yaml.Node) -> int:
        text = str(node.value).replace("_", "")
        if not text.isdecimal() or not 1_000 <= int(text) <= 1_000_000_000:
            self._refuse("'context_window' is not a number of tokens", node.start_mark.line)
        return int(text)

    def _date(self, node: yaml.Node) -> date:
        try:
            return date.fromisoformat(str(node.value))
        except ValueError:
            self._refuse("'from' is not a date like 2026-01-31", node.start_mark.line)

    def _refuse(self, why: str, line: int) -> NoReturn:
        raise PricesInvalid(
            f"The price file {self._path} is wrong in line {line + 1}: {why}.",
            file=str(self._path),
            line=line + 1,
        )
