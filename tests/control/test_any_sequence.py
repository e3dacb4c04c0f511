"""Whatever people ask of a run, and in which order: it comes to what it would have come to anyway."""

import asyncio
import json
import random
from typing import Any

import pytest

from omniforge.llm.protocol import Completion
from tests.control.driving import turns_of
from tests.support.platform import FINAL, PATIENCE, Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling, later

SEEDS = range(10)
TURNS = 5


def heard(request: Completion) -> list[str]:
    said = [each.text for each in request.messages if "says:\n\n" in each.text]
    return [text.split("says:\n\n")[1].split("\n\n")[0] for text in said]


async def working(request: Completion) -> Reply:
    """Writes a line and posts in each of its turns, slowly, and then answers with all it was told."""
    said = turns_of(request)
    if said < TURNS:
        line = {"path": "log.txt", "mode": "append", "content": f"{said} "}
        return await later(0.03, calling(("write_file", line), ("post_keyed", {"text": f"{said}"})))
    return await later(0.03, answer(json.dumps({"heard": heard(request)})))


class Hand:
    """Someone who does this and that to a run, and notes which of his words were taken."""

    def __init__(self, platform: Platform, execution: str, seed: int) -> None:
        self._platform, self._execution = platform, execution
        self._dice = random.Random(seed)  # noqa: S311 - makes up tests
        self.said: list[str] = []

    async def plays(self) -> dict[str, Any]:
        """Until the run is done, and then lets it end."""
        for _ in range(self._dice.randint(3, 12)):
            await self._does(self._dice.choice(["pause", "resume", "steer", "interrupt", "retry"]))
            await asyncio.sleep(self._dice.random() * 0.06)
        async with asyncio.timeout(PATIENCE):
            while (run := await self._platform.execution(self._execution))["status"] != "completed":
                what = "retry" if run["status"] in FINAL else "resume" if run["wish"] else None
                if what is not None:
                    await self._does(what)
                await asyncio.sleep(0.05)
        return run

    async def _does(self, what: str) -> None:
        body = {"message": f"word {len(self.said)}"} if what == "steer" else {}
        path = f"/api/v1/executions/{self._execution}/{what}"
        response = await self._platform.api.post(path, json=body)
        assert response.status_code in {200, 202, 409}, response.text
        if what == "steer" and response.status_code == 202:
            self.said.append(body["message"])


@requirement("DUR-1", "DUR-2", "DUR-3")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_run_that_is_played_with_says_the_same_and_does_nothing_twice(
    platform: Platform, seed: int
) -> None:
    platform.model.decides(working)
    execution = await platform.start(await platform.agent(skill("one")))
    hand = Hand(platform, execution, seed)

    run = await hand.plays()
    file = await platform.api.get(f"/api/v1/executions/{execution}/artifacts/log.txt")
    steps = await platform.steps(execution)

    assert run["result"] == {"heard": hand.said}
    assert file.text == "".join(f"{turn} " for turn in range(TURNS))
    assert sorted(text for _, text in platform.service.posts) == [str(n) for n in range(TURNS)]
    assert [step["step"] for step in steps] == list(range(len(steps)))
    # Each word may come while the final answer is given, and earn another one.
    asked = len(platform.model.asked)
    assert TURNS + 1 <= asked <= TURNS + 1 + len(hand.said)
