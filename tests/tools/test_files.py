import pytest

from omniforge.errors import TryAgain
from tests.support.requirements import requirement
from tests.tools.bench import Bench


@requirement("TOOL-3")
async def test_what_was_written_can_be_read_listed_and_deleted(bench: Bench) -> None:
    await bench.call("write_file", path="out/report.md", content="# Über\nzwei\n")
    await bench.call("write_file", path="out/report.md", content="drei\n", mode="append")

    assert await bench.call("read_file", path="out/report.md") == {
        "path": "out/report.md",
        "content": "# Über\nzwei\ndrei\n",
        "first_line": 1,
        "last_line": 3,
        "total_lines": 3,
    }
    assert (await bench.call("list_files", folder="out"))["files"] == [
        {"path": "out/report.md", "bytes": 18}
    ]
    await bench.call("delete_file", path="out/report.md")
    assert await bench.call("list_files") == {"files": [], "count": 0}


async def test_a_long_file_is_read_in_parts(bench: Bench) -> None:
    bench.has("log.txt", "".join(f"line {number}\n" for number in range(1, 1001)))

    first = await bench.call("read_file", path="log.txt", limit=300)
    second = await bench.call("read_file", path="log.txt", offset=first["next_offset"], limit=700)

    assert first["last_line"] == 300
    assert second["content"].startswith("line 301\n")
    assert "next_offset" not in second


async def test_a_part_is_never_so_long_that_the_gateway_would_cut_it(bench: Bench) -> None:
    bench.has("wide.txt", ("x" * 9_000 + "\n") * 10)

    part = await bench.call("read_file", path="wide.txt")

    assert (part["last_line"], part["next_offset"]) == (4, 5)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "PNG"), (b"PK\x03\x04rest", "ZIP"), (b"a\0b" * 10, "a binary file")],
)
async def test_a_binary_file_is_refused_with_what_it_is(
    bench: Bench, content: bytes, kind: str
) -> None:
    bench.has("thing", content)

    with pytest.raises(TryAgain, match=kind):
        await bench.call("read_file", path="thing")


async def test_a_missing_file_names_the_nearest_one(bench: Bench) -> None:
    bench.has("tasks.csv", "a,b\n")

    with pytest.raises(TryAgain, match=r"Did you mean 'tasks\.csv'\?"):
        await bench.call("read_file", path="task.csv")


@pytest.mark.parametrize("path", ["folder", "folder/file.txt/below", "x" * 300, "../up.txt", " "])
async def test_a_path_that_cannot_be_written_is_the_callers_mistake(
    bench: Bench, path: str
) -> None:
    bench.has("folder/file.txt", "here")

    with pytest.raises(TryAgain) as caught:
        await bench.call("write_file", path=path, content="text")

    assert str(bench.workspace.root) not in caught.value.message


async def test_a_folder_is_neither_read_nor_deleted_nor_listed_when_missing(bench: Bench) -> None:
    bench.has("folder/file.txt", "here")

    for tool, arguments in (
        ("read_file", {"path": "folder"}),
        ("delete_file", {"path": "folder"}),
        ("list_files", {"folder": "elsewhere"}),
    ):
        with pytest.raises(TryAgain, match="folder"):
            await bench.call(tool, **arguments)
