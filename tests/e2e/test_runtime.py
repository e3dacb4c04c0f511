"""What happens inside one skill, through the whole product."""

import json
from collections.abc import Callable

from omniforge.llm.protocol import Completion
from omniforge.llm.sections import outside_text
from tests.execution.making import observations
from tests.support.http_service import CountingHttpService
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling

TOTAL = json.dumps({"type": "object", "required": ["total"]})


def with_schema(name: str, schema: str) -> dict[str, object]:
    made = skill(name, "Sum up.", order=1)
    text = made["files"]["SKILL.md"]
    field = f"metadata:\n  omniforge.output-schema: {schema!r}\n---\n\n"
    made["files"]["SKILL.md"] = text.replace("---\n\n", field, 1)
    return made


@requirement("SKL-3")
async def test_a_skill_of_an_agent_is_read_when_it_is_needed(platform: Platform) -> None:
    replies = iter([calling(("load_skill", {"name": "tone"}))])

    def decide(asked: Completion) -> Reply:
        said = asked.messages[-1].answers
        return next(replies, None) or answer(json.loads(said[0].content)["instructions"])

    platform.model.decides(decide)
    run = await platform.run(
        skill("report", "Report."), skill("tone", "Be brief, $ARGUMENTS.", on_demand=True)
    )

    assert (run["status"], run["result"]) == ("completed", {"answer": "Be brief, ."})
    assert [result["id"] for result in run["skill_results"]] == ["report"]
    assert "- tone: Does tone." in platform.model.asked[0].system
    (started, *_) = await platform.events(run["id"])
    assert started["body"]["skills"] == ["report"]


async def test_an_agent_of_nothing_but_skills_on_demand_is_refused(platform: Platform) -> None:
    body = {"name": "none", "skills": [skill("tone", on_demand=True)]}
    refused = await platform.api.post("/api/v1/agents", json=body)

    assert (refused.status_code, refused.json()["code"]) == (400, "plan_invalid")


@requirement("RAC-2")
async def test_the_next_skill_gets_an_answer_that_fits_the_schema(platform: Platform) -> None:
    platform.model.answers("It is three.").answers('{"total": 3}').answers("Done.")

    run = await platform.run(with_schema("count", TOTAL), skill("tell", "Tell.", order=2))

    assert run["skill_results"][0]["output"] == {"total": 3}
    assert '{"total": 3}' in platform.model.asked[-1].messages[0].text


@requirement("RAC-2")
async def test_an_answer_that_does_not_fit_fails_the_run(platform: Platform) -> None:
    platform.model.answers("It is three.").answers("Three!")

    run = await platform.run(with_schema("count", TOTAL), skill("tell", "Tell.", order=2))

    assert (run["status"], run["error_code"]) == ("failed", "output_invalid")
    assert run["skill_results"][0]["output"] == {"partial": "Three!"}


@requirement("RAC-5")
async def test_a_long_skill_is_compacted_and_people_see_it(platform: Platform) -> None:
    platform.model.takes(16_000).decides(rambling(until=40))

    run = await platform.run(skill("long"), limits={"max_iterations": 60})

    assert run["status"] == "completed", run["error"]
    told = [event["body"] for event in await platform.events(run["id"])]
    compacted = [body for body in told if body["type"] == "conversation_compacted"]
    assert len(compacted) >= 2
    assert run["usage"]["model_calls"] == 41 + len(compacted)
    kinds = [step["kind"] for step in await platform.steps(run["id"])]
    assert kinds.count("compaction") == len(compacted)


@requirement("RAC-5", "RAC-1")
async def test_what_was_compacted_is_played_again_in_a_replay(platform: Platform) -> None:
    platform.model.takes(16_000).decides(rambling(until=30))
    run = await platform.run(skill("long"), limits={"max_iterations": 60})
    asked = len(platform.model.asked)

    replay = await platform.api.post(f"/api/v1/executions/{run['id']}/replay")
    again = await platform.ended(replay.json()["execution_id"])
    compared = await platform.api.get(f"/api/v1/executions/{again['id']}/comparison")

    assert (again["status"], again["result"]) == (run["status"], run["result"])
    assert compared.json()["identical"] is True
    assert len(platform.model.asked) == asked


def rambling(until: int) -> Callable[[Completion], Reply]:
    """Calls something else each time and says 600 words with it."""
    turns = iter(range(until))

    def decide(asked: Completion) -> Reply:
        if not asked.tools:
            return answer("Nothing was found so far.")
        if (turn := next(turns, None)) is None:
            return answer("done")
        return calling(("list_files", {"folder": f"folder-{turn}"}), text="word " * 600)

    return decide


@requirement("SKL-5")
async def test_a_page_cannot_have_anything_sent(platform: Platform) -> None:
    """A model that does what a page says reaches the limit that the skill was given."""
    async with CountingHttpService() as service:
        platform.model.calls(("http_get", {"url": service.url}))
        platform.model.calls(("http_post", {"url": service.url, "json": {"all": "secrets"}}))
        platform.model.answers("Done.")

        run = await platform.run(skill("look", "Look.", allowed="http_get"))

    assert run["status"] == "completed"
    page, refused = observations(platform.model.asked[-1])
    assert json.loads(outside_text(page))["body"] == {"ok": True}
    assert page.startswith("<outside-")
    assert "may not call 'http_post'" in refused
    assert len(service.requests) == 1, "the page was read, and nothing else was sent"
