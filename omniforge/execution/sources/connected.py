"""The tools of the integrations that an agent names, acting on the accounts of the run's person."""

from collections.abc import Sequence

from omniforge.execution.work import SkillWork
from omniforge.integrations.catalog import integration_tools
from omniforge.integrations.connected import AccountTokens, Switchboard
from omniforge.integrations.http.access import HttpAccess
from omniforge.journal.journal import Journal
from omniforge.skills.document import Skill
from omniforge.tools.protocol import Tool


class ConnectedTools:
    """A skill that calls none of them needs no connection."""

    def __init__(self, switchboard: Switchboard, http: HttpAccess) -> None:
        self._switchboard, self._http = switchboard, http

    async def tools(self, work: SkillWork, skill: Skill, journal: Journal) -> Sequence[Tool]:
        if work.accounts is None:
            return ()
        http = self._http if work.script is None else self._http.for_rehearsal()
        return [
            tool
            for name in work.accounts.integrations
            for tool in integration_tools(
                name, AccountTokens(self._switchboard, work.accounts, name), http
            )
        ]
