"""The wheel holds the library, all of it and nothing else, and works where the repository is not."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.architecture.source import LIBRARY, ROOT, modules

# No `site`, so the editable install in the environment does not lead back into the repository.
ALONE = (sys.executable, "-I", "-S")

PROGRAM = """
import asyncio, importlib, pkgutil, sys
wheel, packages, database = sys.argv[1:]
sys.path[:0] = [wheel]
sys.path.append(packages)
import omniforge
from omniforge.store.bootstrap import prepare
for module in pkgutil.walk_packages(omniforge.__path__, "omniforge."):
    if not module.name.endswith("__main__") and ".migrations" not in module.name:
        importlib.import_module(module.name)
asyncio.run(prepare(database))
print(omniforge.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    roots = {name.split("/")[0] for name in names}
    code = {name for name in names if name.endswith(".py") and "/versions/" not in name}

    assert {root for root in roots if not root.endswith(".dist-info")} == {LIBRARY}
    assert code == {module.path for module in modules(LIBRARY)}
    assert "omniforge/py.typed" in names
    assert "omniforge/store/migrations/script.py.mako" in names
    assert any(name.startswith("omniforge/store/migrations/versions/0001") for name in names)


def test_the_library_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    place, database = tmp_path / "installed", f"sqlite:///{tmp_path / 'new.db'}"
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile")
    run(sys.executable, *pip, "--target", str(place), str(wheel))
    packages = sysconfig.get_path("purelib")

    said = run(*ALONE, "-c", PROGRAM, str(place), packages, database, folder=tmp_path)

    assert Path(said.strip()) == place / "omniforge" / "__init__.py"


def run(*command: str, folder: Path = ROOT) -> str:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
