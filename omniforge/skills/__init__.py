"""Skills: standard Agent Skills folders, read strictly, written portably, found nearest first."""

from omniforge.skills.allowed_tools import AllowedTools
from omniforge.skills.archive import ArchiveLimits, from_json, read_folder, read_zip
from omniforge.skills.document import SKILL_MD, Finding, Severity, Skill, content_hash
from omniforge.skills.loader import CatalogueEntry, SkillLoader
from omniforge.skills.parser import Reading, SkillParser, validate, validate_path
from omniforge.skills.preprocessing import (
    Arguments,
    ContextLoader,
    DynamicInjector,
    StringSubstitutor,
    standard_variables,
)
from omniforge.skills.storage import (
    SkillStorageManager,
    StorageConfig,
    StorageLayer,
    create_builder_storage_config,
)
from omniforge.skills.writer import SkillWriter, portable, render

__all__ = [
    "SKILL_MD",
    "AllowedTools",
    "ArchiveLimits",
    "Arguments",
    "CatalogueEntry",
    "ContextLoader",
    "DynamicInjector",
    "Finding",
    "Reading",
    "Severity",
    "Skill",
    "SkillLoader",
    "SkillParser",
    "SkillStorageManager",
    "SkillWriter",
    "StorageConfig",
    "StorageLayer",
    "StringSubstitutor",
    "content_hash",
    "create_builder_storage_config",
    "from_json",
    "portable",
    "read_folder",
    "read_zip",
    "render",
    "standard_variables",
    "validate",
    "validate_path",
]
