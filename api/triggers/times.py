"""When a schedule fires, as the Temporal server itself computes it.

What server 1.32 answers, measured: `scheduled` below is a fire's time by its cron expression, `due`
is that with the schedule's jitter, the same one each time, which never reaches the next fire.

- matching times: due, to the millisecond; 1,000 at most and not a word when there are more
- `info.next_action_times` of a description: due, at most ten, none after `end_at`, and the same
  for a paused schedule
- `scheduled_at` of `info.recent_actions`: due, or with a backfill what would have been due
- a workflow's id ends with `scheduled`, to the second, and its search attribute
  `TemporalScheduledStartTime` is the same
"""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import Client

_JUST_BEFORE = timedelta(microseconds=1)


async def matching_times(
    client: Client, schedule_id: str, start: datetime, end: datetime, limit: int = 1_000
) -> list[datetime]:
    """The first `limit` times at which a schedule is due, jitter included, in their order.

    Those are the fires that a backfill of the same range starts: scheduled at `start` or later, and
    due at `end` or earlier. Whether it is paused, or was there at the time, makes no difference.

    Raises:
        RPCError: Its status is NOT_FOUND where there is no such schedule.
    """
    found: list[datetime] = []
    after = start - _JUST_BEFORE
    while len(found) < limit and (more := await _some(client, schedule_id, after, end)):
        found += more
        after = more[-1]
    return found[:limit]


async def _some(client: Client, schedule_id: str, after: datetime, end: datetime) -> list[datetime]:
    """As many as the server tells at once. It takes `after` as exclusive and `end` as inclusive."""
    answer = await client.workflow_service.list_schedule_matching_times(
        ListScheduleMatchingTimesRequest(
            namespace=client.namespace,
            schedule_id=schedule_id,
            start_time=_timestamp(after),
            end_time=_timestamp(end),
        )
    )
    return [time.ToDatetime(tzinfo=UTC) for time in answer.start_time]


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
