"""`omniforge triggers`."""

from pathlib import Path

import pytest

from omniforge import clock
from tests.cli.driving import CommandLine, Said
from tests.support.requirements import requirement
from tests.triggers.hooked import ANSWERS, Hooked
from tests.webhooks import senders


@pytest.fixture
def cli(hooked: Hooked) -> CommandLine:
    api = hooked.platform.api
    key = api.headers["Authorization"].removeprefix("Bearer ")
    return CommandLine({"OMNIFORGE_API_URL": str(api.base_url), "OMNIFORGE_API_KEY": key})


async def added(cli: CommandLine, hooked: Hooked, *more: str) -> Said:
    agent = await hooked.platform.agent(ANSWERS)
    said = await cli("triggers", "add", agent, "custom", *more, "--json")
    assert said.status == 0, said.err
    return said


async def sent(hooked: Hooked, trigger: Said, delivery_id: str) -> None:
    at, secret = clock.now(), trigger.document["secret"]
    incoming = senders.custom(secret=secret, at=at, delivery_id=delivery_id)
    answered = await hooked.send(trigger.id, incoming)
    assert answered.is_success, answered.text


@requirement("SDK-3", "FR-10")
async def test_a_trigger_is_added_with_its_secret_shown_once(
    cli: CommandLine, hooked: Hooked
) -> None:
    agent = await hooked.platform.agent(ANSWERS, name="listener")
    options = ("--filter", 'event.type == "push"', "--map", "number=event.payload.number")
    made = await cli("triggers", "add", "listener", "github", "--name", "repo", *options)
    listed = await cli("triggers", "list", "--agent", agent)
    shown = await cli("triggers", "show", listed.lines[0][0])
    wrong = await cli("triggers", "add", "listener", "github", "--map", "number")
    unsound = await cli("triggers", "add", "listener", "github", "--filter", "event.x")

    assert made.status == 0, made.err
    assert "secret  whsec_" in made.out
    assert "the only time that the secret is shown" in made.err
    assert "whsec_" not in shown.out + listed.out
    assert "input number  event.payload.number" in shown.out
    assert f"/api/v1/hooks/{listed.lines[0][0]}" in shown.out
    assert listed.lines[0][1:5] == ["repo", agent, "github", "active"]
    assert (wrong.status, "is not NAME=CEL" in wrong.err) == (2, True)
    assert (unsound.status, "body.filter" in unsound.err) == (1, True)


@requirement("SDK-3", "FR-10")
async def test_what_a_paused_trigger_kept_is_looked_at_and_delivered_again(
    cli: CommandLine, hooked: Hooked
) -> None:
    trigger = await added(cli, hooked)
    paused = await cli("triggers", "pause", trigger.id)
    for delivery_id in ("one", "two", "three"):
        await sent(hooked, trigger, delivery_id)
    dead = await cli("triggers", "deliveries", trigger.id, "--status", "dead")
    shown = await cli("triggers", "delivery", dead.lines[0][0])
    resumed = await cli("triggers", "resume", trigger.id)
    one = await cli("triggers", "redeliver", dead.lines[0][0])
    rest = await cli("triggers", "redeliver", "--trigger", trigger.id, "--since", "2026-01-01")
    neither = await cli("triggers", "redeliver")
    every = await cli("triggers", "deliveries", trigger.id, "--json")
    runs = [await hooked.ended(each["execution_id"]) for each in every.document["deliveries"]]

    assert ("paused" in paused.out, "active" in resumed.out) == (True, True)
    assert [line[3:] for line in dead.lines] == [
        ["dead", "trigger_paused: The trigger is paused."]
    ] * 3
    assert 'payload          {"type": "order.paid", "data": {"total": 12}}' in shown.out
    assert (one.out.strip(), rest.out.strip()) == ("1 taken up again", "2 taken up again")
    assert neither.status == 2
    assert [run["status"] for run in runs] == ["completed"] * 3


@requirement("SDK-3", "FR-10")
async def test_a_trigger_is_changed_and_removed(cli: CommandLine, hooked: Hooked) -> None:
    trigger = await added(cli, hooked, "--filter", "true", "--map", "a=event.id")
    options = ("--max-per-minute", "5", "--debounce", "2.5")
    changed = await cli("triggers", "change", trigger.id, "--filter", "none", *options)
    without = await cli("triggers", "change", trigger.id, "--map", "none", "--json")
    removed = await cli("triggers", "remove", trigger.id)
    gone = await cli("triggers", "show", trigger.id)

    assert "filter" not in changed.out
    assert "input a    event.id" in changed.out
    assert "at most    5 a minute" in changed.out
    assert without.document["mapping"] is None
    assert (removed.status, gone.status) == (0, 1)


@requirement("SDK-3", "FR-10")
async def test_a_secret_is_rotated_and_comes_from_a_file(
    cli: CommandLine, hooked: Hooked, tmp_path: Path
) -> None:
    trigger = await added(cli, hooked)
    file = tmp_path / "secret"
    file.write_text(f"{senders.SECRET}\n")
    rotated = await cli("triggers", "rotate-secret", trigger.id)
    given = await cli("triggers", "rotate-secret", trigger.id, "--secret-file", str(file))
    await_token = await cli("triggers", "verification-token", trigger.id)
    incoming = senders.custom(secret=senders.SECRET, at=clock.now())

    assert rotated.out.startswith("secret  whsec_")
    assert "The old one counts until 20" in rotated.err
    assert given.out == ""
    assert await_token.status == 1
    assert (await hooked.send(trigger.id, incoming)).is_success
