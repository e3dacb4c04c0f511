"""What a skill is shown when it asks for it: further skills, and single files of skills.

Both read what the run pinned, so they are no tools in the sense of `allowed-tools`.
"""

LOAD_SKILL = "load_skill"
READ_SKILL_FILE = "read_skill_file"

DISCLOSING = frozenset({LOAD_SKILL, READ_SKILL_FILE})
