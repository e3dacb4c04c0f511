"""Talks to a platform over HTTP."""

from omniforge.client.client import OmniForgeClient
from omniforge.client.errors import ApiError, PlatformUnreachable
from omniforge.client.folders import Upload, read_upload
from omniforge.client.models import (
    Agent,
    Approval,
    Artifact,
    Budget,
    Cost,
    McpServer,
    Page,
    Run,
    StartedRun,
    Step,
)

__all__ = [
    "Agent",
    "ApiError",
    "Approval",
    "Artifact",
    "Budget",
    "Cost",
    "McpServer",
    "OmniForgeClient",
    "Page",
    "PlatformUnreachable",
    "Run",
    "StartedRun",
    "Step",
    "Upload",
    "read_upload",
]
