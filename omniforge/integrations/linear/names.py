"""From the names that people and models use to the ids that Linear takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from omniforge.errors import TryAgain
from omniforge.integrations.linear.client import Linear, Record
from omniforge.integrations.operations import Arguments
from omniforge.tools.wording import listed


async def team_named(linear: Linear, name: str) -> Record:
    """A team by its key or name.

    Raises:
        TryAgain: There is none, or there are several.
    """
    page = await linear.teams()
    by_key = [each for each in page.items if _folded(each["key"]) == _folded(name)]
    found = by_key or [each for each in page.items if _folded(each["name"]) == _folded(name)]
    return _only(found, "team", name, [f"{each['key']} ({each['name']})" for each in page.items])


async def issue_fields(linear: Linear, arguments: Arguments, team: Record) -> dict[str, Any]:
    """What a call says of an issue, in the fields of Linear's input.

    Raises:
        TryAgain: A name in it is unknown or stands for several.
    """
    plain = {
        "title": arguments.get("title"),
        "description": arguments.get("description"),
        "priority": PRIORITIES.get(arguments.get("priority", "")),
        "dueDate": arguments.get("due_date"),
    }
    fields = {name: value for name, value in plain.items() if value is not None}
    if "state" in arguments:
        fields["stateId"] = _state_id(team, arguments["state"])
    if "assignee" in arguments:
        fields["assigneeId"] = await _user_id(linear, arguments["assignee"])
    if "labels" in arguments:
        fields["labelIds"] = await _label_ids(linear, team, arguments["labels"])
    if "project" in arguments:
        fields["projectId"] = await _project_id(linear, arguments["project"])
    return fields


PRIORITIES: Mapping[str, int] = {"none": 0, "urgent": 1, "high": 2, "normal": 3, "low": 4}


def _state_id(team: Record, name: str) -> str:
    states = team["states"]["nodes"]
    found = [each for each in states if _folded(each["name"]) == _folded(name)]
    state_id: str = _only(found, "state", name, [each["name"] for each in states])["id"]
    return state_id


async def _user_id(linear: Linear, name: str) -> str | None:
    if name == "nobody":
        return None
    page = await linear.users(user_filter(name), 5)
    emails = [f"{each['name']} ({each['email']})" for each in page.items]
    user_id: str = _only(page.items, "user", name, emails)["id"]
    return user_id


def user_filter(name: str) -> dict[str, Any]:
    if name == "me":
        return {"isMe": {"eq": True}}
    same = {"eqIgnoreCase": name.strip()}
    return {"or": [{"email": same}, {"name": same}, {"displayName": same}]}


async def _label_ids(linear: Linear, team: Record, names: Sequence[str]) -> list[str]:
    """Labels belong to a team or to the whole workspace."""
    ours = {"or": [{"team": {"null": True}}, {"team": {"id": {"eq": team["id"]}}}]}
    either = {"or": [{"name": {"eqIgnoreCase": name.strip()}} for name in names]}
    found = await linear.labels({"and": [either, ours]}) if names else []
    by_name = {_folded(each["name"]): each["id"] for each in found}
    missing = [name for name in names if _folded(name) not in by_name]
    if missing:
        raise TryAgain(f"Team {team['key']} has no labels {listed(missing, 10)} in Linear.")
    return [by_name[_folded(name)] for name in names]


async def _project_id(linear: Linear, name: str) -> str:
    page = await linear.projects({"name": {"eqIgnoreCase": name.strip()}}, 5)
    project_id: str = _only(page.items, "project", name)["id"]
    return project_id


def _only(found: Sequence[Record], what: str, name: str, known: Sequence[str] = ()) -> Record:
    if len(found) == 1:
        return found[0]
    if found:
        raise TryAgain(f"{len(found)} {what}s are called {name!r}: {listed(known or [], 5)}.")
    hint = f" Known: {listed(known, 30)}." if known else f" Look it up with linear_list_{what}s."
    raise TryAgain(f"Linear has no {what} {name!r}.{hint}")


def _folded(name: str) -> str:
    return name.strip().casefold()
