"""Whatever a run does, its replay does the same: runs made up at random, all through the product."""

import asyncio
import json
import random
from typing import Any

from omniforge.errors import ModelRefused
from omniforge.llm.protocol import Author, Completion
from omniforge.llm.sections import input_section
from tests.modes.driving import accepted, comparison, ended_as
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling

RUNS = 14
NAMES = ["a", "b", "c", "d"]


def a_call(dice: random.Random) -> tuple[str, dict[str, Any]]:
    path = dice.choice(["x.txt", "y.txt"])
    calls: list[tuple[str, dict[str, Any]]] = [
        ("clock", {}),
        ("list_files", {}),
        ("write_file", {"path": path, "content": str(dice.random())}),
        ("read_file", {"path": path}),  # which may not be there
        ("delete_file", {"path": path}),
        ("post_keyed", {"text": path}),
        ("post_findable", {"text": path}),
        ("post_keyed", {"wrong": 1}),
        ("no_such_tool", {"path": path}),
    ]
    return dice.choice(calls)


def a_script(dice: random.Random) -> list[list[tuple[str, dict[str, Any]]] | str]:
    """Turns of one to three calls, and then an answer, or a refusal, or no end at all."""
    turns = [[a_call(dice) for _ in range(dice.randint(1, 3))] for _ in range(dice.randint(0, 4))]
    return [*turns, dice.choices(["answer", "refuse", "endless"], [6, 1, 1])[0]]


def follow(request: Completion) -> Reply:
    """A model that reads its script from the skill's text, so that each skill has its own."""
    given = json.loads(input_section(request.messages[0].text) or "{}")
    # Skills side by side hand on their outputs by their ids.
    scripts = given["scripts"] if "scripts" in given else next(iter(given.values()))["scripts"]
    name = request.system.split('<skill name="')[1].split('"')[0]
    said = sum(message.author is Author.ASSISTANT for message in request.messages)
    turn = scripts[name][min(said, len(scripts[name]) - 1)]
    if isinstance(turn, list):
        return calling(*((tool, arguments) for tool, arguments in turn), text=f"turn {said}")
    if turn == "answer":
        return answer(json.dumps({"scripts": scripts, "by": name}))
    if turn == "refuse":
        return ModelRefused("no")
    return calling(("list_files", {"folder": ""}))


async def a_run(platform: Platform, seed: int) -> dict[str, Any]:
    dice = random.Random(seed)  # noqa: S311 - makes up tests
    names = NAMES[: dice.randint(1, 4)]
    orders = {name: dice.randint(1, 3) for name in names}
    skills = [skill(name, order=order) for name, order in orders.items()]
    scripts = {name: a_script(dice) for name in names}
    agent = await platform.agent(*skills, limits={"max_iterations": 6})
    return await platform.ended(await platform.start(agent, {"scripts": scripts}))


async def files_of(platform: Platform, execution: str) -> list[dict[str, Any]]:
    answered = await platform.api.get(f"/api/v1/executions/{execution}/artifacts")
    files: list[dict[str, Any]] = answered.json()["artifacts"]
    return files


@requirement("DUR-5")
async def test_random_runs_are_the_same_when_they_are_replayed(platform: Platform) -> None:
    platform.model.decides(follow)
    runs = await asyncio.gather(*(a_run(platform, seed) for seed in range(RUNS)))
    asked, posts = len(platform.model.asked), list(platform.service.posts)

    replays = await asyncio.gather(
        *(accepted(platform, f"executions/{run['id']}/replay") for run in runs)
    )
    for run, replay in zip(runs, replays, strict=True):
        ended = await platform.ended(replay)
        found = await comparison(platform, replay)
        assert found["identical"], (found, run)
        assert ended_as(ended) == ended_as(run)
        assert await files_of(platform, replay) == await files_of(platform, run["id"])

    assert {run["status"] for run in runs} == {"completed", "failed"}
    assert (len(platform.model.asked), platform.service.posts) == (asked, posts)
