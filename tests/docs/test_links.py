"""Links between pages lead somewhere, to headings as well."""

import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import Page, pages

_LINK = re.compile(r"\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Page) -> None:
    assert list(broken_links(page)) == []


def broken_links(page: Page) -> Iterator[str]:
    for found in _LINK.finditer(page.prose):
        path, _, anchor = found["target"].partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        target = (page.path.parent / path).resolve() if path else page.path
        if not target.exists() or (anchor and anchor not in anchors(Page(target))):
            yield found["target"]


def anchors(page: Page) -> set[str]:
    """The headings as links name them: lower case, no punctuation, hyphens for spaces."""
    titles = _HEADING.findall(page.unfenced)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
