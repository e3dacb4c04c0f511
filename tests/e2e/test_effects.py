"""Effects whose answer was lost: sent once, or a person is asked."""

from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling


def posting(platform: Platform, tool: str) -> None:
    platform.model.decides(
        lambda request: (
            calling((tool, {"text": "hello"}))
            if len(request.messages) == 1
            else answer('{"posted": true}')
        )
    )


@requirement("DUR-2")
async def test_a_keyed_effect_is_sent_again_under_the_same_key(platform: Platform) -> None:
    posting(platform, "post_keyed")
    platform.service.lost_answers = 1

    run = await platform.run(skill("poster"))

    assert run["status"] == "completed"
    assert len(platform.service.posts) == 1


@requirement("DUR-2")
async def test_a_findable_effect_is_looked_up_before_it_is_sent_again(platform: Platform) -> None:
    posting(platform, "post_findable")
    platform.service.lost_answers = 1

    run = await platform.run(skill("poster"))

    assert run["status"] == "completed"
    assert len(platform.service.posts) == 1


@requirement("DUR-2", "DUR-4")
async def test_an_effect_in_doubt_waits_for_a_person_who_decides_once(platform: Platform) -> None:
    posting(platform, "post_ask")
    platform.service.lost_answers = 1
    execution = await platform.start(await platform.agent(skill("poster")))
    waiting = await platform.until(execution, {"waiting"})
    approvals = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
    (question,) = [one for one in approvals if one["execution_id"] == execution]

    decided = await platform.api.post(
        f"/api/v1/approvals/{question['id']}",
        json={"decision": "happened", "reason": "I can see it"},
    )
    run = await platform.ended(execution)
    again = await platform.api.post(
        f"/api/v1/approvals/{question['id']}", json={"decision": "resend"}
    )

    assert waiting["waiting_for"] == "effect"
    assert "post_ask" in question["question"]
    assert decided.json()["decision"] == "happened"
    assert run["status"] == "completed"
    assert len(platform.service.posts) == 1
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")


@requirement("DUR-2")
async def test_a_person_can_have_an_effect_sent_again_or_skipped(platform: Platform) -> None:
    posting(platform, "post_ask")
    sent = {}
    for decision in ("resend", "skip"):
        platform.service.forget()
        platform.service.lost_answers = 1
        execution = await platform.start(await platform.agent(skill("poster")))
        await platform.until(execution, {"waiting"})
        open_ones = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
        await platform.api.post(
            f"/api/v1/approvals/{open_ones[0]['id']}", json={"decision": decision}
        )
        run = await platform.ended(execution)
        sent[decision] = (run["status"], len(platform.service.posts))

    assert sent == {"resend": ("completed", 2), "skip": ("completed", 1)}


async def test_a_waiting_run_can_be_cancelled(platform: Platform) -> None:
    posting(platform, "post_ask")
    platform.service.lost_answers = 1
    execution = await platform.start(await platform.agent(skill("poster")))
    await platform.until(execution, {"waiting"})

    asked = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
    (question,) = [one for one in asked if one["execution_id"] == execution]

    await platform.api.post(f"/api/v1/executions/{execution}/cancel")
    run = await platform.ended(execution)
    still_asked = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
    late = await platform.api.post(f"/api/v1/approvals/{question['id']}", json={"decision": "skip"})

    assert run["status"] == "cancelled"
    assert question["id"] not in [one["id"] for one in still_asked]
    assert (late.status_code, late.json()["code"]) == (409, "run_finished")
    assert len(platform.service.posts) == 1
