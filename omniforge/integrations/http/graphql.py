"""GraphQL over HTTP: one address, operations in documents, errors beside the data."""

import re
from collections.abc import Mapping
from typing import Any

from omniforge.integrations.http.calls import Answer, Call
from omniforge.integrations.http.limits import Limits, seconds_to_wait
from omniforge.integrations.http.service import Dialect, Finding, Verdict
from omniforge.integrations.http.session import Session
from omniforge.tools.wording import shortened

Error = Mapping[str, Any]

MAX_SAID = 500

_WRITING = frozenset({"mutation", "subscription"})
_WORD = re.compile(r"\w+")


class GraphQLDialect(Dialect):
    """Errors come with any status, also a good one. `finding` is a service's own way to tell them apart."""

    def only_reads(self, call: Call) -> bool:
        """A document that has the word `mutation` anywhere is taken for a write, whatever it is there for."""
        document = call.json.get("query") if isinstance(call.json, Mapping) else None
        return isinstance(document, str) and _WRITING.isdisjoint(_WORD.findall(document.casefold()))

    def finding(self, error: Error, status: int) -> Finding:
        return Finding.FAILED if status >= 500 else Finding.REFUSED

    def missing(self, error: Error) -> tuple[str, ...]:
        """The scopes that an error asks for."""
        return ()

    def words(self, error: Error) -> str:
        return str(error.get("message", ""))

    def judge(self, answer: Answer, limits: Limits) -> Verdict:
        errors = errors_of(answer)
        if not errors:
            return super().judge(answer, limits)
        said = shortened("; ".join(self.words(error) for error in errors), MAX_SAID)
        finding = self.finding(errors[0], answer.status)
        wait = seconds_to_wait(answer.headers, limits) if finding is Finding.LIMITED else None
        return Verdict(finding, said.rstrip("."), wait, self.missing(errors[0]))


def errors_of(answer: Answer) -> list[Error]:
    errors = answer.body.get("errors") if isinstance(answer.body, Mapping) else None
    return [each for each in errors if isinstance(each, Mapping)] if errors else []


async def ask(session: Session, path: str, document: str, variables: Mapping[str, Any]) -> Any:
    """The data of an answer. Variables of None are left out."""
    given = {name: value for name, value in variables.items() if value is not None}
    answer = await session.send(Call("POST", path, json={"query": document, "variables": given}))
    return answer.body["data"]
