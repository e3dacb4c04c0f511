"""Builds of the worker side by side: a run ends on the build it began on."""

from datetime import timedelta

from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import WorkerDeploymentConfig

from omniforge.errors import Rejected

DEPLOYMENT = "omniforge"


def deployment_of(build: str) -> WorkerDeploymentConfig | None:
    """How a worker of a build announces itself; without a build's name all workers are alike.

    Runs are pinned: they last minutes, and hardly any longer than the old workers can be kept. With
    versions in use the server gives new runs to nobody before a build is the current one.
    """
    if not build:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


async def make_current(client: Client, build: str) -> None:
    """Have new runs begin on this build. Repeating it changes nothing.

    Raises:
        Rejected: No worker of this build has asked the server for work yet, or there is no such server.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=DEPLOYMENT, build_id=build
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(
            request, timeout=timedelta(seconds=10)
        )
    except RPCError as error:
        raise Rejected(
            f"Build {build!r} did not become the current one: {error.message}. Start a worker of it"
            " first, with OMNIFORGE_WORKER_BUILD set to its name."
        ) from error
