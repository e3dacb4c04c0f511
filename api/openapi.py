"""Writes the OpenAPI document, or checks that the one in `docs/` is current."""

import json
import sys
from pathlib import Path

from api.app import create_app
from omniforge.settings import Settings

FILE = Path(__file__).parents[1] / "docs" / "openapi.json"


def document() -> str:
    """The OpenAPI document as it is committed."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    if "--check" not in arguments:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(document())
        return 0
    if FILE.exists() and FILE.read_text() == document():
        return 0
    sys.stderr.write("docs/openapi.json is not what the API offers. Run `make openapi`.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
