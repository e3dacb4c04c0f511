"""What departs from a rule on purpose, with the reason. An entry that is no longer needed fails."""

SIZES = {
    "omniforge/cli/approvals.py:list_approvals": "A command's options are its arguments.",
    "omniforge/client/approvals.py:list": "The filters of a list are named one by one.",
    "omniforge/cli/modes/playing.py:fork": "A command's options are its arguments.",
    "omniforge/cli/modes/testing.py:try_out": "A command's options are its arguments.",
    "omniforge/cli/runs.py:start": "A command's options are its arguments.",
    "omniforge/errors.py": "A catalogue of small classes, in one tree that is read as a whole.",
    "omniforge/client": "One module a noun of the API, beside the few that all of them share.",
    "omniforge/journal/journal.py": "One state machine: its moves make sense only side by side.",
    "omniforge/execution/autonomous.py:__init__": "The product documents fix the signature.",
    "omniforge/skills": "The format's reader, writer and checks; each module is one part of it.",
    "omniforge/store": "One module a noun, beside the few that all of them share.",
    "omniforge/tools/tables": "One module a verb of the table tools; there is no noun between.",
    "tests/sandbox/attempts.py": "One program, which goes into the sandbox as it is.",
    "tests/store/test_runs.py": "One repository, each of its moves on both databases.",
    "dev": "The platform's parts and the commands on them, all about processes of one machine.",
}
"""Files, functions and folders over the limits of size."""

UNSCOPED = {
    "omniforge/store/access.py:principal_of": "Finds out whose key it is, so no tenant is known yet.",
    "omniforge/store/bootstrap.py:_first_owner": "Set-up of a machine: the first tenant there is.",
    "omniforge/store/journal.py:_GUARD": "The fence decides; its holder claimed the node as its tenant.",
    "omniforge/store/journal.py:commit": "Ids that the claim of this tenant's node handed out.",
    "omniforge/store/journal.py:_inbox_of": "By the key of a node that was claimed for its tenant.",
    "omniforge/store/journal.py:_state": "Reads the very node that was claimed for its tenant.",
    "omniforge/store/runs.py:_NODES": "Used by the repository once the run was found to be its tenant's.",
    "omniforge/store/store.py:_probe": "Asks whether the schema is there; tells nothing of a row.",
    "omniforge/store/unfinished.py:unfinished": "The reconciler heals the runs of all tenants.",
    "omniforge/store/streams.py:_ADVANCE": "By the stream's id, which comes from a tenant's own run.",
    "omniforge/store/streams.py:_PROCEED": "By the stream's id, which comes from a tenant's own run.",
    "omniforge/store/streams.py:_STREAM": "By the stream's id, which comes from a tenant's own run.",
    "omniforge/store/streams.py:clear_shown": "By the stream's id, within a write to the node or its run.",
    "omniforge/store/streams.py:event_under": "Asked only after the run was found to be the tenant's.",
    "omniforge/store/streams.py:events_after": "Asked only after the run was found to be the tenant's.",
}
"""Queries on tenant tables outside a repository."""
