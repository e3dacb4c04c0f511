"""Effects that were sent and may or may not have happened: what can be found out, and what is asked."""

import asyncio
from datetime import datetime, timedelta

from omniforge import clock
from omniforge.errors import OutcomeUnknown
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.events import Wait
from omniforge.journal.steps import Effect, Find, Performed, Step


def wait_id(step: Step) -> str:
    """One question a sending: when it is sent again and in doubt again, that is a new question."""
    return f"{step.effect_id}.{step.sends}"


def question_of(step: Step) -> Wait:
    """What a person is asked of an effect in doubt."""
    return Wait(
        kind="effect",
        id=wait_id(step),
        tool=step.name,
        arguments=step.made_with,
        question=f"{step.name} was sent at {step.sent_at:%Y-%m-%d %H:%M:%S} UTC and nobody knows whether"
        " it arrived. Did it happen?",
    )


def is_key_known(step: Step, effect: Effect) -> bool:
    """Whether the provider still knows the key when the next sending arrives, however late."""
    if effect.key_lifetime is None or step.sent_at is None:
        return False
    return clock.now() + effect.timeout < step.sent_at + effect.key_lifetime


async def look_up(
    step: Step, effect: Effect, find: Find, visible_after: timedelta
) -> Performed | None:
    """What a lookup says once it is sure to see the last sending.

    Raises:
        PersonNeeded: The lookup itself failed, so nobody knows.
    """
    await sleep_until((step.send_by or clock.now()) + visible_after)
    try:
        async with asyncio.timeout(effect.timeout.total_seconds()):
            return await find(step.effect_id or "")
    except (OutcomeUnknown, TimeoutError):
        raise PersonNeeded((question_of(step),)) from None


async def sleep_until(moment: datetime | None) -> None:
    """Sleep to a moment; one that has passed, or none, is now."""
    if moment is not None:
        await asyncio.sleep(max(0.0, (moment - clock.now()).total_seconds()))
