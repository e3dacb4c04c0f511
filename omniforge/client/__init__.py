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
from omniforge.client.triggering import Delivery, Fire, Schedule, Trigger

__all__ = [
    "Agent",
    "ApiError",
    "Approval",
    "Artifact",
    "Budget",
    "Cost",
    "Delivery",
    "Fire",
    "McpServer",
    "OmniForgeClient",
    "Page",
    "PlatformUnreachable",
    "Run",
    "Schedule",
    "StartedRun",
    "Step",
    "Trigger",
    "Upload",
    "read_upload",
]
