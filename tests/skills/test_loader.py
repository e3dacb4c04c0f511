"""Layers: which skill a name means."""

from pathlib import Path

import pytest

from omniforge.errors import Rejected, SkillInvalid, SkillNotFound
from omniforge.skills import (
    SkillLoader,
    SkillStorageManager,
    StorageConfig,
    StorageLayer,
    create_builder_storage_config,
    read_folder,
)
from tests.skills.making import folder, put, rules_of, skill_md
from tests.support.requirements import requirement

NAME = "weekly-report"
FOLDERS = {
    StorageLayer.AGENT: "tenants/t1/agents/a1/skills",
    StorageLayer.TENANT: "tenants/t1/skills",
    StorageLayer.PUBLIC: "public-skills",
    StorageLayer.GLOBAL: "global",
}


def loader(root: Path) -> SkillLoader:
    return SkillLoader(SkillStorageManager(create_builder_storage_config("t1", "a1", root)))


@requirement("SKL-2", "SKL-8")
def test_the_nearest_layer_wins(tmp_path: Path) -> None:
    for layer, path in reversed(FOLDERS.items()):
        put(tmp_path / path / NAME, {"SKILL.md": skill_md(body=f"the {layer} skill")})

        skill = loader(tmp_path).resolve(NAME)

        assert skill.body == f"the {layer} skill"
        assert skill.storage_layer == layer


@requirement("SKL-2")
def test_a_broken_override_is_reported_and_not_replaced_by_the_public_skill(tmp_path: Path) -> None:
    put(tmp_path / "tenants/t1/skills" / NAME, folder("schedule: daily"))
    put(tmp_path / "public-skills" / NAME, folder())

    with pytest.raises(SkillInvalid) as refused:
        loader(tmp_path).resolve(NAME)

    assert list(rules_of(refused.value)) == ["forbidden-field"]


@requirement("SKL-2")
@pytest.mark.parametrize("name", [NAME, "../t1", "", ".hidden", "a/b", "/etc"])
def test_a_missing_skill_names_the_layers_that_were_searched(tmp_path: Path, name: str) -> None:
    with pytest.raises(SkillNotFound, match="searched: agent, tenant, public, global"):
        loader(tmp_path).resolve(name)


@requirement("SKL-2")
def test_another_tenants_skill_is_not_found(tmp_path: Path) -> None:
    put(tmp_path / "tenants/t2/skills" / NAME, folder())

    with pytest.raises(SkillNotFound):
        loader(tmp_path).resolve(NAME)


@requirement("SKL-2", "SKL-8")
def test_the_catalogue_lists_each_name_once_and_broken_ones_with_their_findings(
    tmp_path: Path,
) -> None:
    put(tmp_path / "global" / NAME, folder())
    put(tmp_path / "tenants/t1/skills" / NAME, folder())
    put(tmp_path / "public-skills/broken", {"SKILL.md": b"no frontmatter"})
    put(tmp_path / "public-skills/.weekly.tmp", folder())

    broken, weekly = loader(tmp_path).catalogue()

    assert (broken.name, broken.is_broken, broken.findings[0].rule) == (
        "broken",
        True,
        "frontmatter-missing",
    )
    assert (weekly.name, weekly.layer, weekly.is_broken) == (NAME, StorageLayer.TENANT, False)
    assert weekly.description.startswith("Sums up the week.")


@requirement("SKL-2")
def test_a_tenant_without_an_agent_sees_three_layers(tmp_path: Path) -> None:
    config = create_builder_storage_config("t1", None, tmp_path)

    assert [layer for layer, _ in config.layers] == list(StorageLayer)[1:]
    assert StorageConfig().layers == ()
    with pytest.raises(Rejected):
        create_builder_storage_config("..", "a1", tmp_path)


@requirement("SKL-2")
def test_links_that_leave_the_skill_are_refused_and_links_within_are_read(tmp_path: Path) -> None:
    secret = put(tmp_path / "elsewhere", {"secret": b"s"})
    place = put(tmp_path / "global" / NAME, {**folder(), "references/a.md": b"a"})
    (place / "b.md").symlink_to("references/a.md")

    assert loader(tmp_path).resolve(NAME).files["b.md"] == b"a"
    for target in (secret / "secret", secret, "loop", "nowhere"):
        (place / "loop").symlink_to(target)
        with pytest.raises(SkillInvalid):
            read_folder(place)
        (place / "loop").unlink()


@requirement("SKL-2")
def test_a_layer_may_not_link_to_a_folder_elsewhere(tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "elsewhere" / NAME, folder())
    (tmp_path / "global").mkdir()
    (tmp_path / "global" / NAME).symlink_to(elsewhere)

    with pytest.raises(SkillInvalid, match="symlink"):
        loader(tmp_path).resolve(NAME)
    assert loader(tmp_path).catalogue()[0].is_broken


def test_a_folder_over_the_limits_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    place = put(tmp_path / NAME, folder() | {f"references/{n}": b"" for n in range(300)})

    with pytest.raises(SkillInvalid) as refused:
        read_folder(place)

    assert list(rules_of(refused.value)) == ["too-many-files"]
