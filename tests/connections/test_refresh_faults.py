"""Refreshing under faults, small; `make refresh-faults` does it at its full size."""

import pytest

from tests.connections.faults import refresh_all
from tests.support.requirements import requirement


@pytest.mark.long
@pytest.mark.timeout(300)
@requirement("INT-1")
async def test_no_fault_of_a_service_and_no_killed_worker_costs_a_connection() -> None:
    verdict = await refresh_all(160, kills=2)

    assert verdict.refreshes >= 160
    assert verdict.kills == 2
    assert (verdict.dead, verdict.used_twice) == (0, 0)
    assert sum(verdict.went_wrong.values()) > 30
