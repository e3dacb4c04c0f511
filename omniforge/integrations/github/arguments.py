"""Arguments that several of GitHub's tools take."""

from omniforge.integrations.operations import Arguments
from omniforge.tools.parameters import text, whole

REPO = text("The repository, as owner/name.", pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")
NUMBER = whole("The number of the issue or pull request.", 1, 1_000_000_000)
LIMIT = whole("How many at most; 20 unless told.", 1, 50)
CURSOR = text("next_cursor of the answer before, to go on from there.")
BODY_OFFSET = whole("From which character of the body on to read, when it was cut.", 0, 1_000_000)
TIME = "An ISO 8601 time such as 2026-11-21T00:00:00Z."


def window(arguments: Arguments) -> tuple[int, str | None]:
    """How many, and from where on."""
    return arguments.get("limit", 20), arguments.get("cursor")
