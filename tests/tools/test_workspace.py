import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.errors import TryAgain
from omniforge.tools.workspace import MAX_FILE_BYTES, Workspace
from tests.support.requirements import requirement
from tests.tools.bench import Bench, MemoryBlobs

PIECES = st.sampled_from(
    ["..", ".", "/", "\\", "~", "link", "loop", "dir", "a.txt", "\0", "C:", " ", "%2e%2e"]
)
NAMES = st.one_of(
    st.text(max_size=40), st.lists(PIECES, max_size=6).map("/".join), st.lists(PIECES).map("".join)
)


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with links that lead out, in a circle, and to a file outside."""
    base = tmp_path_factory.mktemp("trapped")
    root = base / "root"
    (root / "dir").mkdir(parents=True)
    (base / "secret.txt").write_text("secret")
    (root / "link").symlink_to(base)
    (root / "loop").symlink_to("loop")
    (root / "dir" / "a.txt").symlink_to(base / "secret.txt")
    return Workspace(root, MemoryBlobs())


@requirement("TOOL-3")
@settings(max_examples=300, deadline=None)
@given(name=NAMES)
def test_no_name_leads_out_of_the_workspace(trapped: Workspace, name: str) -> None:
    try:
        path = trapped.path(name)
    except TryAgain:
        return

    assert Path(os.path.realpath(path)).is_relative_to(os.path.realpath(trapped.root))


@requirement("TOOL-3")
@settings(max_examples=150, deadline=None)
@given(name=NAMES)
def test_nothing_outside_is_ever_read_written_or_deleted(trapped: Workspace, name: str) -> None:
    secret = trapped.root.parent / "secret.txt"
    for use in (trapped.read, trapped.delete, lambda each: trapped.write(each, b"overwritten")):
        try:
            assert use(name) != b"secret"
        except TryAgain:
            continue

    assert secret.read_text() == "secret"
    assert sorted(each.name for each in trapped.root.parent.iterdir()) == ["root", "secret.txt"]


@pytest.mark.parametrize(
    "name", ["link/secret.txt", "dir/a.txt", "../secret.txt", "/etc/passwd", "loop/x"]
)
def test_a_way_out_is_refused_in_words(trapped: Workspace, name: str) -> None:
    with pytest.raises(TryAgain):
        trapped.read(name)


async def test_a_snapshot_brings_back_exactly_what_was_there(bench: Bench) -> None:
    bench.has("a.txt", "one")
    bench.has("deep/er/b.txt", "two")
    (bench.workspace.root / "odd\\name").write_text("three")
    manifest = await bench.workspace.snapshot()
    bench.has("a.txt", "changed")
    bench.has("later.txt", "four")

    await bench.workspace.restore(manifest)

    assert list(bench.workspace.files()) == ["a.txt", "deep/er/b.txt", "odd\\name"]
    assert bench.text_of("a.txt") == "one"
    assert (bench.workspace.root / "odd\\name").read_text() == "three"


async def test_a_snapshot_refuses_a_file_that_is_too_large(bench: Bench) -> None:
    with (bench.workspace.root / "huge.bin").open("wb") as huge:
        huge.truncate(MAX_FILE_BYTES + 1)

    with pytest.raises(TryAgain, match=r"huge\.bin"):
        await bench.workspace.snapshot()


async def test_links_are_not_part_of_a_snapshot(trapped: Workspace) -> None:
    assert not {"link", "loop", "dir/a.txt"} & (await trapped.snapshot()).keys()
