"""Our top-level names mean our packages, in this environment and in any other."""

import importlib.util
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.source import APPLICATIONS, LIBRARY, PRODUCT, ROOT

# vulture's wheel carries its own helper scripts by mistake. It is no part of what users install, and
# the repository comes before it on the path.
STRAYS = {"dev": ["vulture"]}


@pytest.mark.parametrize("name", [*PRODUCT, "tests"])
def test_a_name_leads_into_the_repository(name: str) -> None:
    found = importlib.util.find_spec(name)

    assert found is not None
    assert found.submodule_search_locations is not None
    assert [*found.submodule_search_locations] == [str(ROOT / name)]


@pytest.mark.parametrize("name", [*APPLICATIONS, "tests"])
def test_no_installed_package_owns_the_name_of_an_application(name: str) -> None:
    assert packages_distributions().get(name, []) in ([], STRAYS.get(name))


def test_the_library_belongs_to_our_own_distribution() -> None:
    assert set(packages_distributions().get(LIBRARY, [])) <= {"omniforge"}
