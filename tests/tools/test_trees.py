"""Folders in which somebody else may have put anything."""

import os
from pathlib import Path

import pytest

from omniforge.errors import BlobMissing, TryAgain
from omniforge.tools import trees
from tests.support.requirements import requirement
from tests.tools.bench import Bench

pytestmark = requirement("TOOL-3")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("x")
    (root / "link").symlink_to(tmp_path)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    (tmp_path / "outside").write_text("outside")
    return root


def test_a_walk_tells_of_links_and_goes_through_none(tree: Path) -> None:
    found = {entry.path: (entry.is_folder, entry.is_file) for entry in trees.walk(tree)}

    assert found == {
        "a": (True, False),
        "a/b": (True, False),
        "a/b/file": (False, True),
        "link": (False, False),
        "loop": (False, False),
        "pipe": (False, False),
    }


def test_a_walk_through_nothing_tells_nothing(tmp_path: Path) -> None:
    assert list(trees.walk(tmp_path / "missing")) == []


def test_only_regular_files_open_and_only_without_links_on_the_way(tree: Path) -> None:
    os.close(trees.open_file(tree, ["a", "b", "file"]))
    for parts in (["link", "outside"], ["loop", "a", "b", "file"], ["pipe"], ["a"], ["none"]):
        with pytest.raises(OSError):
            trees.open_file(tree, parts)


def test_a_file_is_put_in_place_of_a_link_and_never_behind_one(tree: Path) -> None:
    trees.put_file(tree, ["link"], b"mine")
    with pytest.raises(OSError):
        trees.put_file(tree, ["loop", "new"], b"mine")

    assert (tree / "link").read_bytes() == b"mine"
    assert not (tree / "new").exists()
    assert sorted(each.name for each in tree.parent.iterdir()) == ["outside", "tree"]


def test_removing_a_tree_leaves_what_its_links_point_to(tree: Path) -> None:
    (tree / "a" / "b").chmod(0)

    trees.remove(tree)
    trees.remove(tree)

    assert [each.name for each in tree.parent.iterdir()] == ["outside"]


def test_handing_over_changes_no_file_behind_a_link(tree: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    trees.hand_over(tree, 54_321)

    owners = {path.lstat().st_uid for path in (tree, *tree.rglob("*"))}
    assert owners == {54_321}
    assert {(tree.parent / "outside").stat().st_uid, tree.parent.stat().st_uid} == {0}


def test_sweeping_keeps_files_and_makes_them_readable(tree: Path) -> None:
    (tree / "a" / "b" / "file").chmod(0)
    (tree / "tab\there").write_text("")

    swept = trees.sweep(tree)

    assert set(swept) == {"link", "loop", "pipe", "tab\there"}
    assert [entry.path for entry in trees.walk(tree) if entry.is_file] == ["a/b/file"]
    assert (tree / "a" / "b" / "file").stat().st_mode & 0o777 == 0o644


async def test_a_restore_that_fails_leaves_what_was_there(bench: Bench) -> None:
    bench.has("a.txt", "one")
    manifest = await bench.workspace.snapshot()

    with pytest.raises(BlobMissing):
        await bench.workspace.restore({**manifest, "b.txt": "0" * 64})

    assert list(bench.workspace.files()) == ["a.txt"]


async def test_a_restore_writes_through_no_link(bench: Bench, tmp_path: Path) -> None:
    bench.has("dir/a.txt", "one")
    manifest = await bench.workspace.snapshot()
    (bench.workspace.root / "dir" / "a.txt").unlink()
    (bench.workspace.root / "dir").rmdir()
    (bench.workspace.root / "dir").symlink_to(tmp_path)

    await bench.workspace.restore(manifest)

    assert bench.text_of("dir/a.txt") == "one"
    assert not (tmp_path / "a.txt").exists()


def test_a_name_may_not_be_nested_deeper_than_a_walk_goes(bench: Bench) -> None:
    with pytest.raises(TryAgain, match="32 levels"):
        bench.has("d/" * 32 + "f", "x")


def test_writing_one_of_two_names_of_a_file_leaves_the_other(bench: Bench) -> None:
    bench.has("one", "1")
    os.link(bench.workspace.root / "one", bench.workspace.root / "two")

    bench.has("one", "changed")

    assert bench.text_of("two") == "1"
