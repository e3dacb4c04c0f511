"""Every error OmniForge raises on purpose, in one tree.

    OmniForgeError
    |- NotFound          the thing is not there, or not yours (the two are never told apart)
    |- Unauthenticated   no credential, or one we do not know
    |- Forbidden         known, but not allowed
    |- Conflict          right request, wrong moment
    |- Rejected          the request itself is wrong; sending it again changes nothing
    |- TooLarge          the same, by size
    |- LimitReached      allowed later or with a higher limit
    |- UpstreamFailed    a model or an outside service failed
    |- Unavailable       a part of OmniForge is down or full
    |- Ended             a run ended in a way that a retry cannot mend
    |- Observation       words between a tool and a model; never reaches a person as an error
    '- Fenced            a lost worker's late write; it stops and nobody else is told

The direct subclasses are *kinds*: they say who can mend it. HTTP statuses and Temporal's retry
flags are one table each at the edge (`api.errors`, `activities.failures`), so nothing here knows them.
"""

from typing import ClassVar


class OmniForgeError(Exception):
    """Anything that went wrong in a way we foresaw. `code` is stable; the message may be reworded."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        """Plain JSON parts of the message, for programs. Never holds a secret."""


class NotFound(OmniForgeError):
    code = "not_found"


class Unauthenticated(OmniForgeError):
    code = "unauthenticated"


class Forbidden(OmniForgeError):
    code = "forbidden"


class Conflict(OmniForgeError):
    code = "conflict"


class Rejected(OmniForgeError):
    code = "rejected"


class TooLarge(OmniForgeError):
    code = "too_large"


class LimitReached(OmniForgeError):
    code = "limit_reached"


class UpstreamFailed(OmniForgeError):
    code = "upstream_failed"


class Unavailable(OmniForgeError):
    code = "unavailable"


class Ended(OmniForgeError):
    code = "ended"


class Observation(OmniForgeError):
    code = "observation"


# ---- who may do what -------------------------------------------------------------------------


class KeyRefused(Unauthenticated):
    """A credential of somebody we know that opens nothing any more: revoked, expired, of a former member."""

    code = "key_refused"

    def __init__(self, message: str, tenant_id: str, user_id: str, credential: str) -> None:
        super().__init__(message)
        self.tenant_id, self.user_id, self.credential = tenant_id, user_id, credential


class IssuerUnavailable(Unavailable):
    """The keys of an issuer cannot be fetched, so nobody can say whether its tokens are good."""

    code = "issuer_unavailable"


class TooManyRequests(LimitReached):
    code = "too_many_requests"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message, retry_after_s=retry_after_s)


class TooManyFailedSignIns(TooManyRequests):
    """An address sent so many credentials nobody knows that the next one is not even answered."""

    code = "too_many_failed_sign_ins"


class KeyNotFound(NotFound):
    code = "key_not_found"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no key {key_id!r}.", key_id=key_id)


class ScopeInvalid(Rejected):
    """A key, member or invitation cannot have what was asked for. The message says what and why."""

    code = "scope_invalid"


class LastOwner(Conflict):
    """A workspace has at least one owner, always."""

    code = "last_owner"

    def __init__(self, user_id: str) -> None:
        super().__init__(
            "This is the only owner of the workspace. Make somebody else an owner first.",
            user_id=user_id,
        )


class AlreadyMember(Conflict):
    code = "already_member"


class InvitationNotFound(NotFound):
    code = "invitation_not_found"

    def __init__(self, invitation_id: str) -> None:
        super().__init__(f"There is no invitation {invitation_id!r}.", invitation_id=invitation_id)


class InvitationInvalid(Rejected):
    """A token that invites nobody: unknown, used, expired or withdrawn. Which of these is not told."""

    code = "invitation_invalid"

    def __init__(self) -> None:
        super().__init__(
            "This invitation cannot be accepted: it is unknown, was used, has expired or was withdrawn."
            " Ask for a new one."
        )


# ---- agents and runs -------------------------------------------------------------------------


class AgentNotFound(NotFound):
    code = "agent_not_found"

    def __init__(self, agent_id: str) -> None:
        super().__init__(f"There is no agent {agent_id!r}.", agent_id=agent_id)


class ExecutionNotFound(NotFound):
    code = "execution_not_found"

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"There is no execution {execution_id!r}.", execution_id=execution_id)


class ArtifactNotFound(NotFound):
    code = "artifact_not_found"

    def __init__(self, path: str) -> None:
        super().__init__(f"The run has no file {path!r}.", path=path)


class ApprovalNotFound(NotFound):
    code = "approval_not_found"

    def __init__(self, approval_id: str) -> None:
        super().__init__(f"There is no approval {approval_id!r}.", approval_id=approval_id)


class AgentNotActive(Conflict):
    """A run was asked of an agent that is still a draft, paused or archived."""

    code = "agent_not_active"

    def __init__(self, agent_id: str, status: str) -> None:
        super().__init__(
            f"Agent {agent_id!r} is {status}; activate it before running it.",
            agent_id=agent_id,
            agent_status=status,
        )


class AgentArchived(Conflict):
    """An archived agent is read-only."""

    code = "agent_archived"

    def __init__(self, agent_id: str) -> None:
        super().__init__(
            f"Agent {agent_id!r} is archived and cannot be changed.", agent_id=agent_id
        )


class AgentChanged(Conflict):
    """Someone else changed the agent between the reading and the writing of a change."""

    code = "agent_changed"

    def __init__(self, agent_id: str) -> None:
        super().__init__(
            f"Agent {agent_id!r} was changed by someone else meanwhile. Read it again and repeat.",
            agent_id=agent_id,
        )


class RunFinished(Conflict):
    """A run that has a final status was asked to change."""

    code = "run_finished"

    def __init__(self, execution_id: str, status: str) -> None:
        super().__init__(
            f"Execution {execution_id!r} has already ended ({status}).",
            execution_id=execution_id,
            run_status=status,
        )


class RunNotFinished(Conflict):
    """What is asked for needs the whole record of a run, and it still goes on."""

    code = "run_not_finished"

    def __init__(self, execution_id: str, status: str) -> None:
        super().__init__(
            f"Execution {execution_id!r} is {status}. Wait for its end, or cancel it.",
            execution_id=execution_id,
            run_status=status,
        )


class RunNotBegun(Conflict):
    """A queued run can be cancelled; for everything else it has to begin first."""

    code = "run_not_begun"


class RunStopping(Conflict):
    """A run that someone interrupted ends after the steps under way, whatever is asked of it."""

    code = "run_stopping"


class AlreadyPaused(Conflict):
    code = "already_paused"


class NotPaused(Conflict):
    code = "not_paused"


class NothingToSteer(Conflict):
    """A message for a run of which no skill, or not the one that is named, is at work."""

    code = "nothing_to_steer"


class TooManyMessages(LimitReached):
    """A run was told more than one skill can keep in mind."""

    code = "too_many_messages"


class RunNotRetried(Conflict):
    """A run cannot be taken up again as it was asked for; the message says what is in the way."""

    code = "run_not_retried"


class RecordUnusable(Rejected):
    """What is on record of a run cannot be played, or gone on from, in the way that was asked for."""

    code = "record_unusable"


class EditRefused(Rejected):
    """The arguments that someone gives a call may not be sent. The message says why; nothing is decided."""

    code = "edit_refused"


class AlreadyDecided(Conflict):
    """A second decision for something that one person has already decided."""

    code = "already_decided"

    def __init__(self, approval_id: str, decision: str) -> None:
        super().__init__(
            f"Approval {approval_id!r} has already been decided: {decision}.",
            approval_id=approval_id,
            decision=decision,
        )


class MemberNotFound(NotFound):
    code = "member_not_found"

    def __init__(self, user_id: str) -> None:
        super().__init__(f"There is no member {user_id!r} of this workspace.", user_id=user_id)


class BudgetNotFound(NotFound):
    code = "budget_not_found"

    def __init__(self, subject: str, period: str) -> None:
        named = "with no end" if period == "ever" else f"a {period}"
        super().__init__(
            f"There is no budget {named} for {subject!r}.", subject=subject, period=period
        )


class IdempotencyConflict(Conflict):
    """An Idempotency-Key came back with another body."""

    code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} was used before with another request. Use a new key."
        )


class PlanInvalid(Rejected):
    """An agent's skills do not make a graph that can run. The message names the place."""

    code = "plan_invalid"


class ConditionFailed(Ended):
    """An expression of a plan could not be evaluated with what the run has come to.

    The message says which expression and what it met, never what the data is.
    """

    code = "condition_failed"

    def __init__(self, expression: str, why: str) -> None:
        short = expression if len(expression) <= 120 else f"{expression[:119]}…"
        super().__init__(f"The expression `{short}` failed. {why}", expression=expression)
        self.why = why


class AgentInvalid(Rejected):
    """An agent's description cannot be accepted. The message says which part and why."""

    code = "agent_invalid"


# ---- schedules -------------------------------------------------------------------------------


class CronInvalid(Rejected):
    """A schedule's expression is not cron as we take it. The message says what to write instead."""

    code = "cron_invalid"


class TimeZoneUnknown(Rejected):
    """A schedule's time zone is none, or has another name. The message has names that are near."""

    code = "time_zone_unknown"


class ScheduleNotFound(NotFound):
    code = "schedule_not_found"

    def __init__(self, schedule_id: str) -> None:
        super().__init__(f"There is no schedule {schedule_id!r}.", schedule_id=schedule_id)


class ScheduleInvalid(Rejected):
    """A schedule, or what is asked of it, cannot be. The message says which part and why."""

    code = "schedule_invalid"


class ScheduleBusy(Conflict):
    """A run was asked for beside one that must not be overlapped."""

    code = "schedule_busy"

    def __init__(self, schedule_id: str, execution_id: str) -> None:
        super().__init__(
            f"Run {execution_id!r} of schedule {schedule_id!r} has not ended. Wait for it, or ask for a"
            " run that overlaps.",
            schedule_id=schedule_id,
            execution_id=execution_id,
        )


class BackfillTooLarge(TooLarge):
    """More times than one backfill starts runs for."""

    code = "backfill_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The schedule is due more than {limit:,} times in this range, and one backfill starts at"
            " most so many runs. Ask for a shorter range.",
            limit=limit,
        )


# ---- deliveries of outside services ----------------------------------------------------------


class SignatureInvalid(Unauthenticated):
    """Nobody who knows a secret of the trigger sent this. What exactly is wrong is not told."""

    code = "signature_invalid"

    def __init__(self) -> None:
        super().__init__("The delivery is not signed with a secret of this trigger.")


class DeliveryStale(Unauthenticated):
    """A signed delivery that is too old, or ahead of our clock: perhaps one that somebody recorded."""

    code = "delivery_stale"

    def __init__(self) -> None:
        super().__init__("The delivery was sent too long ago, or by a clock that is ahead.")


class DeliveryInvalid(Rejected):
    """A delivery from the right sender that is not what this provider sends. The message says how."""

    code = "delivery_invalid"


class DeliveryTooLarge(TooLarge):
    code = "delivery_too_large"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The delivery has more than the {max_bytes:,} bytes allowed.")


class TooManyDeliveries(LimitReached):
    """A sender sends so much more than its trigger takes that not even dead letters are kept of it."""

    code = "too_many_deliveries"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "The trigger takes no more deliveries for now. Send it again later.",
            retry_after_s=retry_after_s,
        )


class TriggerNotFound(NotFound):
    code = "trigger_not_found"

    def __init__(self, trigger_id: str) -> None:
        super().__init__(f"There is no trigger {trigger_id!r}.", trigger_id=trigger_id)


class DeliveryNotFound(NotFound):
    code = "delivery_not_found"

    def __init__(self, delivery_id: str) -> None:
        super().__init__(f"There is no delivery {delivery_id!r}.", delivery_id=delivery_id)


class DeliveryNotRepeated(Conflict):
    """A delivery was to be delivered again that has led to a run, or is about to."""

    code = "delivery_not_repeated"

    def __init__(self, delivery_id: str, status: str, execution_id: str | None) -> None:
        super().__init__(
            f"Delivery {delivery_id!r} is {status}: run {execution_id} is its own. Only deliveries that"
            " led to no run are delivered again.",
            delivery_id=delivery_id,
            delivery_status=status,
            execution_id=execution_id,
        )


class TokenNotThere(Conflict):
    """A trigger has no verification token to show: none has come, or it was shown before."""

    code = "token_not_there"


class WebhookSecretInvalid(Rejected):
    """What is to be a trigger's secret cannot be one. The message never holds it."""

    code = "webhook_secret_invalid"


# ---- MCP servers -----------------------------------------------------------------------------


class McpServerNotFound(NotFound):
    code = "mcp_server_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no MCP server {name!r}.", name=name)


class McpServerExists(Conflict):
    """A name is given once; the operator's servers have theirs already."""

    code = "mcp_server_exists"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is an MCP server {name!r} already. Choose another name.", name=name
        )


class McpServerInvalid(Rejected):
    """An MCP server cannot be set up as it is described. The message says what is wrong."""

    code = "mcp_server_invalid"


class McpServerUnavailable(Ended):
    """A skill needs the tools of an MCP server that has been removed or cannot be reached."""

    code = "mcp_server_unavailable"


# ---- skills ----------------------------------------------------------------------------------


class SkillNotFound(NotFound):
    code = "skill_not_found"

    def __init__(self, name: str, searched: str = "") -> None:
        where = f" (searched: {searched})" if searched else ""
        super().__init__(f"There is no skill {name!r}{where}.", skill=name)


class SkillInvalid(Rejected):
    """A skill breaks the standard. `details["findings"]` lists file, line, rule and message."""

    code = "skill_invalid"


class ArchiveRejected(Rejected):
    """An uploaded archive is broken, escapes its folder, or unpacks to too much."""

    code = "archive_rejected"


class UploadTooLarge(TooLarge):
    code = "upload_too_large"


class BlobMissing(Unavailable):
    """Content that a row refers to is not in the blob store."""

    code = "blob_missing"

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"The blob {digest} is missing from the store. Do the API and the worker share one"
            " storage folder? `omniforge doctor` tells.",
            digest=digest,
        )


# ---- models ----------------------------------------------------------------------------------


class ModelRateLimited(UpstreamFailed):
    code = "model_rate_limited"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.retry_after = retry_after


class ModelOverloaded(UpstreamFailed):
    code = "model_overloaded"


class ModelUnreachable(UpstreamFailed):
    """The connection failed or broke off before the answer was whole."""

    code = "model_unreachable"


class ModelRefused(Ended):
    """The model declined to answer."""

    code = "model_refused"


class ModelAuthFailed(Ended):
    """The provider did not accept the key."""

    code = "model_auth_failed"


class ModelRequestInvalid(Ended):
    """The provider rejected the request: a context that is too long, a bad schema."""

    code = "model_request_invalid"


class ModelUnknown(ModelRequestInvalid):
    """There is no such model, or not for this account; another one may do."""

    code = "model_unknown"


class ContextTooLong(ModelRequestInvalid):
    code = "context_too_long"


class OfflineCannot(Ended):
    """The offline model came to something that needs a real one, or to a step it cannot carry out."""

    code = "offline_cannot"


class PricesInvalid(Rejected):
    """The file with a company's own prices cannot be used. The message names file and line."""

    code = "prices_invalid"


class PriceUnknown(Ended):
    """A run with a budget asked for a model without a known price."""

    code = "price_unknown"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The price of model {model!r} is not known, so a budget cannot be kept."
            " Add it to the price override file, or remove the budget.",
            model=model,
        )


# ---- the journal and a run's end -------------------------------------------------------------


class JournalDiverged(Ended):
    """A resumed run asked for another step than the one on record. Nothing was sent."""

    code = "journal_diverged"


class Fenced(OmniForgeError):
    """A successor has taken this node over; whoever sees this must stop and write nothing."""

    code = "fenced"


class BudgetExceeded(LimitReached):
    """A model call does not fit under a cap even when nothing else is under way."""

    code = "budget_exceeded"


class BudgetNotRaised(Conflict):
    """The cap of a run was to be raised to what it is already, or the run has none."""

    code = "budget_not_raised"


class BudgetHeld(BudgetExceeded):
    """A model call does not fit now, but will if calls under way cost less than is set aside for them.

    Whoever asked for it waits and tries again.
    """

    code = "budget_held"


class OutputInvalid(Ended):
    """A skill's final answer does not fit the output schema that the skill declares."""

    code = "output_invalid"


class NoProgress(Ended):
    """A skill's worker was lost again and again without one new step."""

    code = "no_progress"


class ToolInvalid(Rejected):
    """A tool cannot be registered: its name or its JSON schema is broken, or the name is taken."""

    code = "tool_invalid"


# ---- words between tools and models ----------------------------------------------------------


class TryAgain(Observation):
    """The call was wrong in a way the model can mend; costs one iteration."""

    code = "try_again"


class CallRefused(TryAgain):
    """A call never reached its tool: there is none, it may not be made, or its arguments do not fit."""

    code = "call_refused"


class CallExcluded(CallRefused):
    """A call was not made because the same approach had failed too often in this skill."""

    code = "call_excluded"


class ToolChanged(TryAgain):
    """A tool is no longer what the skill was told when it began; the message says what it is now."""

    code = "tool_changed"


class AnswerUnusable(TryAgain):
    """A model answered, but not with something that can be carried out. `text` is what it wrote.

    The message is a sentence for the model. The call is paid for: `omniforge.llm.failures.spent`
    tells what was used.
    """

    code = "answer_unusable"

    def __init__(self, message: str, text: str = "", **details: object) -> None:
        super().__init__(message, **details)
        self.text = text


class GaveUp(Observation):
    """The tool cannot work in this run; ends the skill."""

    code = "gave_up"


class OutcomeUnknown(Observation):
    """An effect was sent and nobody can tell whether it happened: time-out, cut line, 5xx."""

    code = "outcome_unknown"


# ---- integrations ----------------------------------------------------------------------------


class ServiceAddressInvalid(Rejected):
    """The address under which an integration's service shall be reached is not one that may be used."""

    code = "service_address_invalid"


class RateLimited(TryAgain):
    """A service takes no more calls of this account for longer than the call may wait."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, retry_after=retry_after)
        self.retry_after = retry_after
        """Seconds."""


class ServiceUnavailable(TryAgain):
    """A service could not be reached or failed, and nothing was changed by it."""

    code = "service_unavailable"


class ServiceAnswerInvalid(TryAgain):
    """A service answered, but not with JSON of a size that can be read."""

    code = "service_answer_invalid"


class ServiceRefused(TryAgain):
    """A service said no to a call, and did nothing. The message has its words."""

    code = "service_refused"


class WriteHeld(Observation):
    """A request that would change something, where only reading is allowed. `request` is what it was."""

    code = "write_held"

    def __init__(self, message: str, request: dict[str, object]) -> None:
        super().__init__(message)
        self.request = request


class ConnectionBroken(GaveUp):
    """A connection's account must be connected anew: its token was revoked, or lacks rights."""

    code = "connection_broken"

    def __init__(
        self,
        message: str,
        connection_id: str | None,
        missing: tuple[str, ...] = (),
        *,
        version: int = 0,
        user_id: str = "",
        integration_id: str = "",
    ) -> None:
        super().__init__(message, connection_id=connection_id, missing=list(missing))
        self.connection_id = connection_id
        """None: there is no connection yet; then `user_id` and `integration_id` say which is needed."""
        self.missing = missing
        """Scopes that the next consent has to give."""
        self.version = version
        """Of the tokens that are of no use any more."""
        self.user_id, self.integration_id = user_id, integration_id


# ---- connections -----------------------------------------------------------------------------


class IntegrationUnknown(NotFound):
    code = "integration_unknown"

    def __init__(self, integration_id: str, known: str) -> None:
        there = known or "none, as long as no app is set up"
        super().__init__(
            f"There is no integration {integration_id!r} to connect. Those that can be: {there}."
        )


class ConnectionNotFound(NotFound):
    code = "connection_not_found"

    def __init__(self, connection_id: str) -> None:
        super().__init__(f"There is no connection {connection_id!r}.", connection_id=connection_id)


class ConsentInvalid(Rejected):
    """Somebody came back from a service with a consent that was not asked for, or too long ago."""

    code = "consent_invalid"


class LinkInvalid(NotFound):
    """A link to begin a consent with is unknown, used, or too old."""

    code = "link_invalid"


class ConsentDenied(Rejected):
    """The person, or the service, did not allow the app what it needs."""

    code = "consent_denied"


class WrongAccount(Conflict):
    """A connection was to be mended with another account than its own."""

    code = "wrong_account"


class ConnectionNotActive(Conflict):
    """A connection was disconnected, or its service takes its tokens no more."""

    code = "connection_not_active"

    def __init__(self, connection_id: str, message: str) -> None:
        super().__init__(message, connection_id=connection_id)


class TokenDenied(Rejected):
    """A service does not take a token that somebody brought. The message never holds it."""

    code = "token_denied"


class AppNotFound(NotFound):
    code = "app_not_found"

    def __init__(self, integration_id: str) -> None:
        super().__init__(f"The workspace has no app of its own for {integration_id!r}.")


class AppInUse(Conflict):
    """Connections were made with an app, and only it can refresh them."""

    code = "app_in_use"


class TokenRefused(UpstreamFailed):
    """A service's token endpoint said no, and will say so again. `reason` is its own word for it."""

    code = "token_refused"

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service} refused: {reason}", reason=reason)


class TokenNotAsked(UpstreamFailed):
    """A service's token endpoint could not be asked: nothing has changed there."""

    code = "token_not_asked"


class TokenUnknown(UpstreamFailed):
    """A service's token endpoint was asked, and nobody knows what it did."""

    code = "token_unknown"


# ---- keys, and what is encrypted with them ---------------------------------------------------


class KeyInvalid(Rejected):
    """A key that is configured cannot be one. The message says how to make one; never the key."""

    code = "key_invalid"


class KeyMissing(Unavailable):
    """Something was encrypted with a key that this process does not have."""

    code = "key_missing"

    def __init__(self, key_id: str, message: str) -> None:
        super().__init__(message, key_id=key_id)


class CiphertextInvalid(Rejected):
    """Something encrypted is broken, was changed, or is not what it is taken for."""

    code = "ciphertext_invalid"


class PayloadInvalid(Rejected):
    """What was sent to the codec endpoint is not Temporal's form of payloads."""

    code = "payload_invalid"


class PayloadTooLarge(TooLarge):
    """More than Temporal takes in one payload."""

    code = "payload_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"{size:,} bytes were to travel through Temporal at once; {limit:,} are allowed. Put what"
            " is large into the run's input or its files, which stay in the store.",
            size=size,
            limit=limit,
        )


# ---- talking to a platform -------------------------------------------------------------------


class TemporalUnavailable(Unavailable):
    code = "temporal_unavailable"


class StorageUnavailable(Unavailable):
    """The database or the disk does not take writes."""

    code = "storage_unavailable"
