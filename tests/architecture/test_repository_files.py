"""What is committed speaks of the product: no index hosts, no paths of somebody's machine."""

import re

from tests.architecture.source import ROOT, repository_files

# Written apart, or this file would be the first to break its own rule.
INDEX_HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "yarn" + "pkg.com",
    "crates" + ".io",
    "proxy.golang" + ".org",
]
FOLDERS_OF_A_MACHINE = ["work", "root", "Users"]

FORBIDDEN = re.compile(
    "|".join(
        [
            *(re.escape(host) for host in INDEX_HOSTS),
            *(rf"(?<![\w./-])/{folder}/" for folder in FOLDERS_OF_A_MACHINE),
            r"(?<![\w./-])/home/\w+/",
        ]
    )
)


def test_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    found = {path: FORBIDDEN.findall(text) for path, text in texts() if FORBIDDEN.search(text)}

    assert found == {}


def test_the_search_finds_hosts_and_paths_and_spares_urls() -> None:
    assert FORBIDDEN.search("see https://" + INDEX_HOSTS[0])
    assert FORBIDDEN.search("in '/wor" + "k/main'")
    assert not FORBIDDEN.search("a/work/b and https://example.com/root/x and workspace/work/")


def test_pins_carry_no_address_and_there_is_no_lock_of_uvs_own() -> None:
    locks = [path for path in repository_files() if path.endswith(".lock")]

    assert locks == sorted(f"requirements/{name}.lock" for name in ("bootstrap", "dev", "runtime"))
    assert [path for path in locks if "://" in (ROOT / path).read_text()] == []


def texts() -> list[tuple[str, str]]:
    return [(path, (ROOT / path).read_text(errors="replace")) for path in repository_files()]
