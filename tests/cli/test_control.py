"""`omniforge runs pause`, `resume`, `interrupt`, `steer` and `retry`."""

from omniforge.errors import ModelAuthFailed
from tests.cli.driving import CommandLine
from tests.control.driving import Gate, paused
from tests.control.test_steer import obeying
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement


@requirement("DUR-3", "SDK-3")
async def test_a_run_is_paused_told_something_and_sent_on(
    cli: CommandLine, platform: Platform
) -> None:
    gate = Gate(obeying)
    platform.model.decides(gate)
    run = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()

    held = await cli("runs", "pause", run, "--reason", "lunch")
    again = await cli("runs", "pause", run)
    gate.open()
    await paused(platform, run)
    said = await cli("runs", "steer", run, "be brief")
    resumed = await cli("runs", "resume", run, "--json")
    watched = await cli("runs", "watch", run)

    assert f"omniforge runs resume {run}" in held.out
    assert (again.status, "paused already" in again.err) == (1, True)
    assert "is told" in said.out
    assert resumed.document["wish"] is None
    assert "lunch" in watched.out
    assert "says: be brief" in watched.out


@requirement("DUR-3", "SDK-3")
async def test_a_run_is_interrupted_and_taken_up_again(
    cli: CommandLine, platform: Platform
) -> None:
    gate = Gate(obeying)
    platform.model.decides(gate)
    run = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()

    stopping = await cli("runs", "interrupt", run)
    gate.open()
    await platform.ended(run)
    again = await cli("runs", "retry", run)

    assert f"omniforge runs retry {run}" in stopping.out
    assert again.status == 0
    assert "run cancelled" in again.out
    assert "taken up again" in again.out
    assert "run completed" in again.out


@requirement("DUR-3", "SDK-3")
async def test_a_retry_can_be_left_alone(cli: CommandLine, platform: Platform) -> None:
    platform.model.fails(ModelAuthFailed("no")).answers('{"done": true}')
    run = await platform.run(skill("one"))

    left = await cli("runs", "retry", run["id"], "--in-doubt", "happened", "--detach", "--json")
    ended = await platform.ended(run["id"])
    too_late = await cli("runs", "retry", run["id"])

    assert left.document["generation"] == 1
    assert ended["result"] == {"done": True}
    assert (too_late.status, "completed" in too_late.err) == (1, True)
