"""Log files of the parts."""

from pathlib import Path

from dev.logs import rotate, tail


def grown(log: Path, text: str) -> None:
    log.write_text(text)
    with log.open("r+b") as file:
        file.truncate(6 * 1024 * 1024)


def test_a_large_log_moves_aside_and_three_old_ones_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    for number in range(5):
        grown(log, f"start {number}")
        rotate(log)

    kept = sorted(file.name for file in tmp_path.iterdir())
    assert kept == ["api.log.1", "api.log.2", "api.log.3"]
    assert (tmp_path / "api.log.1").read_bytes().startswith(b"start 4")


def test_a_small_log_is_continued(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("yesterday\n")

    rotate(log)

    assert log.read_text() == "yesterday\n"


def test_the_tail_shows_the_last_lines_and_where_they_are_from(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("".join(f"line {number}\n" for number in range(40)))

    assert tail(log, 2) == f"The end of {log}:\n  | line 38\n  | line 39"


def test_the_tail_of_a_log_that_was_never_written_says_so(tmp_path: Path) -> None:
    assert tail(tmp_path / "api.log").endswith("(empty)")
