from collections.abc import Iterator

import pytest

from tests.sandbox.arenas import MINE, SOMEWHERE, Arena, arena


@pytest.fixture(params=SOMEWHERE)
def place(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """For an attempt that takes its time."""
    with arena(request.param) as place:
        yield place


@pytest.fixture(params=MINE)
def own_place(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """Where the sandbox is run by the tests themselves, which can then let go of it."""
    with arena(request.param) as place:
        yield place
