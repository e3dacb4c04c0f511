"""The tables. Those of the product documents keep their names and columns; ours join them.

`agent_configs` has no counters: usage is counted from `agent_executions` when it is asked for
(docs/decisions/0007). A step's row is written more than once only while it is not settled.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from omniforge.store.columns import Document, Money, Timestamp

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

platform_marks = Table(
    "platform_marks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
)

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    # Runs that may be under way at once: null is as many as the platform says, 0 is any number.
    Column("max_concurrent_runs", Integer),
    Column("fairness_weight", Float, nullable=False, server_default="1"),
    Column("created_at", Timestamp, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    # A program, whose keys the admins of its workspace make.
    Column("is_service", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", Timestamp, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("role", String(32), nullable=False),
    Column("created_at", Timestamp),  # unknown of those who joined before it was kept
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False, index=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    # Its first characters, by which people know it again.
    Column("prefix", String(16), nullable=False, server_default=""),
    Column("permissions", Document),  # null: all that the role of its owner has
    Column("agent_id", String(64)),
    Column("created_by", String(64)),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("revoked_at", Timestamp),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("role", String(32), nullable=False),
    Column("note", String(255), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    Column("revoked_at", Timestamp),
    Column("accepted_at", Timestamp),
    Column("accepted_by", String(64)),
    Index("ix_invitations_tenant_id_created_at", "tenant_id", "created_at"),
)

# Rows are added and never changed.
audit = Table(
    "audit",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("credential", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("details", Document, nullable=False),
    Index("ix_audit_tenant_id_created_at", "tenant_id", "created_at"),
)

agent_configs = Table(
    "agent_configs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("status", String(32), nullable=False, index=True),
    Column("trigger_type", String(32), nullable=False),
    Column("schedule", String(100)),
    Column("event_config", Document),
    Column("skills", Document, nullable=False),
    Column("integrations", Document, nullable=False),
    Column("limits", Document, nullable=False),
    Column("permissions", Document, nullable=False),
    Column("sub_agents", Document, nullable=False),
    Column("mcp_servers", Document, nullable=False),
    Column("connections", Document, nullable=False, server_default="{}"),
    Column("acts_as", String(16), nullable=False, server_default="owner"),
    Column("created_by", String(64), nullable=False, index=True),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sharing_level", String(32), nullable=False),
    Column("shared_with", Document, nullable=False),
    Index("ix_agent_configs_tenant_id_created_at", "tenant_id", "created_at"),
)

agent_versions = Table(
    "agent_versions",
    metadata,
    Column("agent_id", ForeignKey("agent_configs.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("skills", Document, nullable=False),
    Column("limits", Document, nullable=False),
    Column("permissions", Document, nullable=False),
    Column("sub_agents", Document, nullable=False),
    Column("mcp_servers", Document, nullable=False),
    Column("integrations", Document, nullable=False, server_default="[]"),
    Column("connections", Document, nullable=False, server_default="{}"),
    Column("acts_as", String(16), nullable=False, server_default="owner"),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Timestamp, nullable=False),
)

agent_executions = Table(
    "agent_executions",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("agent_id", ForeignKey("agent_configs.id"), nullable=False),
    Column("tenant_id", String(64), nullable=False),
    Column("agent_version", Integer),
    Column("triggered_by", String(64), nullable=False),
    Column("trigger_type", String(32), nullable=False),
    # The schedule or trigger that started it, and the time its schedule names.
    Column("trigger_id", String(64)),
    Column("scheduled_at", Timestamp),
    Column("parent_id", String(128), index=True),
    Column("mode", String(16), nullable=False),
    Column("source_id", String(128)),
    Column("terms", Document, nullable=False),
    Column("status", String(32), nullable=False),
    Column("priority", Integer, nullable=False, server_default="3"),
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("waiting_for", String(32)),
    Column("input_data", Document, nullable=False),
    Column("files", Document, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("completed_at", Timestamp),
    Column("result", Document),
    Column("error", Text),
    Column("error_code", String(64)),
    Column("error_skill", String(64)),
    Column("skill_results", Document, nullable=False),
    Column("usage", Document, nullable=False),
    Column("cost", Money, nullable=False),
    Column("idempotency_key", String(255)),
    Column("body_hash", String(64)),
    UniqueConstraint("tenant_id", "idempotency_key"),
    Index("ix_agent_executions_tenant_id_created_at", "tenant_id", "created_at"),
    Index("ix_agent_executions_agent_id_created_at", "agent_id", "created_at"),
    Index("ix_agent_executions_status_created_at", "status", "created_at"),
)
# The queue of a tenant in its order, and the runs that hold a place; without those that have ended.
Index(
    "ix_agent_executions_unfinished",
    agent_executions.c.tenant_id,
    agent_executions.c.status,
    agent_executions.c.priority,
    agent_executions.c.created_at,
    sqlite_where=agent_executions.c.completed_at.is_(None),
    postgresql_where=agent_executions.c.completed_at.is_(None),
)

# The runs of a schedule that have not ended, which its next fire may have to wait for.
Index(
    "ix_agent_executions_trigger_id",
    agent_executions.c.trigger_id,
    sqlite_where=agent_executions.c.completed_at.is_(None),
    postgresql_where=agent_executions.c.completed_at.is_(None),
)

streams = Table(
    "streams",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("agent_id", String(64), nullable=False),
    Column("parent_id", String(128)),
    Column("next_seq", Integer, nullable=False),
    Column("cap", Money),
    # How far the cap may rise by itself, and whether its caller is asked, or is a program to be warned.
    Column("auto_cap", Money),
    Column("budget_mode", String(16), nullable=False, server_default="ask"),
    Column("reserved", Money, nullable=False),
    Column("settled", Money, nullable=False),
    Column("overrun", Money, nullable=False),
    # What its executors are asked to do before their next step (pause, stop), and how often people spoke.
    Column("wish", String(16)),
    Column("said", Integer, nullable=False, server_default="0"),
    Column("created_at", Timestamp, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("period", String(16), primary_key=True),
    Column("scope", String(16), nullable=False),
    Column("cap", Money, nullable=False),
    Column("starts", Date, nullable=False),
    Column("reserved", Money, nullable=False),
    Column("settled", Money, nullable=False),
    Column("overrun", Money, nullable=False),
)

# One row a model call that can cost money: what was set aside, and what it came to (null: under way).
reservations = Table(
    "reservations",
    metadata,
    Column("stream_id", String(128), primary_key=True),
    Column("node", String(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("made_at", Timestamp, primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("agent_id", String(64), nullable=False),
    Column("day", Date, nullable=False),
    Column("amount", Money, nullable=False),
    Column("cost", Money),
    Index("ix_reservations_tenant_id_day", "tenant_id", "day"),
)

nodes = Table(
    "nodes",
    metadata,
    Column("stream_id", String(128), primary_key=True),
    Column("node", String(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("skill_name", String(64), nullable=False),
    Column("status", String(32), nullable=False),
    Column("segment", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("output", Document),
    Column("error", Document),
    Column("waits", Document, nullable=False),
    Column("items", Document),  # what a for_each found; each item is a node of its own
    Column("workspace", Document),
    Column("active", Float, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("completed_at", Timestamp),
)

steps = Table(
    "steps",
    metadata,
    Column("stream_id", String(128), primary_key=True),
    Column("node", String(255), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("name", String(128), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("status", String(32), nullable=False),
    Column("arguments", Document),
    Column("edit", Document),  # what a person made of the arguments, who, and why
    Column("answer", Document),
    Column("error", Document),
    Column("effect_class", String(16)),
    Column("effect_id", String(64)),
    Column("sent_at", Timestamp),
    Column("send_by", Timestamp),
    Column("sends", Integer, nullable=False),
    Column("usage", Document, nullable=False),
    Column("cost", Money, nullable=False),
    Column("reserved", Money, nullable=False),
    Column("is_cost_assumed", Boolean, nullable=False),
    Column("model", String(128)),
    Column("workspace", Document),
    Column("origin", String(16), nullable=False),
    Column("segment", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", Timestamp),
    Column("ended_at", Timestamp),
)

events = Table(
    "events",
    metadata,
    Column("stream_id", String(128), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("node", String(255)),
    Column("type", String(32), nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("body", Document, nullable=False),
    Column("dedupe_key", String(400), nullable=False),
    UniqueConstraint("stream_id", "dedupe_key"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("stream_id", String(128), nullable=False),
    Column("node", String(255), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("tenant_id", String(64), nullable=False),
    Column("wait_id", String(128), nullable=False),
    Column("decision", String(32), nullable=False),
    Column("decided_by", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("arguments", Document),
    Column("created_at", Timestamp, nullable=False),
    Column("consumed_at", Timestamp),
    Index("ix_inbox_stream_id_node", "stream_id", "node"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("execution_id", String(128), nullable=False, index=True),
    Column("node", String(255), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("question", Text, nullable=False),
    Column("tool", String(128), nullable=False),
    Column("arguments", Document),
    # The model's words with the call, and the approval whose question they answer.
    Column("said", Text, nullable=False, server_default=""),
    Column("follows", String(128)),
    Column("created_at", Timestamp, nullable=False),
    Column("reminded_at", Timestamp),
    Column("escalated_at", Timestamp),
    Column("escalated_to", String(64)),
    Column("decision", String(32)),
    Column("decided_by", String(64)),
    Column("note", Text, nullable=False),
    Column("edited_arguments", Document),
    Column("decided_at", Timestamp),
    Index("ix_approvals_tenant_id_created_at", "tenant_id", "created_at"),
)

mcp_servers = Table(
    "mcp_servers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(32), nullable=False),
    Column("url", Text, nullable=False),
    Column("headers", Document, nullable=False),
    Column("trust", String(16), nullable=False),
    Column("read_only", Document, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    UniqueConstraint("tenant_id", "name"),
    Index("ix_mcp_servers_tenant_id_created_at", "tenant_id", "created_at"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("agent_id", ForeignKey("agent_configs.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("cron_expression", String(100), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("overlap", String(16), nullable=False),
    Column("overlap_waiting", Boolean, nullable=False),
    Column("catchup_window_s", Integer, nullable=False),
    Column("jitter_s", Integer, nullable=False),
    Column("starts_at", Timestamp),
    Column("ends_at", Timestamp),
    Column("input_data", Document, nullable=False),
    Column("skip_at", Timestamp),
    # The wish and what Temporal has of it: while they differ, it is to be told.
    Column("revision", Integer, nullable=False),
    Column("projected", Integer, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    # A row that is gone stays until Temporal has forgotten it, too.
    Column("removed_at", Timestamp),
    Index("ix_schedules_tenant_id_created_at", "tenant_id", "created_at"),
)
Index(
    "ix_schedules_to_project",
    schedules.c.id,
    sqlite_where=schedules.c.projected != schedules.c.revision,
    postgresql_where=schedules.c.projected != schedules.c.revision,
)

fires = Table(
    "fires",
    metadata,
    Column("schedule_id", String(40), primary_key=True),
    # Unique in its schedule: the time it was due, or `now-` and the run's id.
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("scheduled_at", Timestamp, nullable=False),
    Column("due_at", Timestamp),
    Column("created_at", Timestamp, nullable=False),  # when it fired
    Column("kind", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(32)),
    Column("execution_id", String(128)),
    Column("blocked_by", String(128)),
    Index("ix_fires_schedule_id_created_at", "schedule_id", "created_at"),
)
Index(
    "ix_fires_without_due_at",
    fires.c.created_at,
    sqlite_where=fires.c.due_at.is_(None),
    postgresql_where=fires.c.due_at.is_(None),
)

triggers = Table(
    "triggers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("agent_id", ForeignKey("agent_configs.id"), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("name", String(255), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("filter", Text),
    Column("mapping", Document),
    Column("max_per_minute", Integer, nullable=False),
    Column("debounce_s", Float, nullable=False),
    # Encrypted, newest first; one that was replaced has a time at which it stops being taken.
    Column("secrets", Document, nullable=False),
    # The run that deliveries join which come before it begins.
    Column("batch_id", String(128)),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    # A row that is gone stays for the history of its deliveries.
    Column("removed_at", Timestamp),
    Index("ix_triggers_tenant_id_created_at", "tenant_id", "created_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("trigger_id", ForeignKey("triggers.id"), nullable=False),
    Column("delivery_id", String(255), nullable=False),
    Column("event_type", String(255), nullable=False),
    Column("payload", Document, nullable=False),
    Column("occurred_at", Timestamp),
    Column("created_at", Timestamp, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(32)),
    Column("message", Text, nullable=False),
    Column("execution_id", String(128), index=True),
    Column("attempt", Integer, nullable=False),
    # When Temporal is to be asked for its run, the first time or again.
    Column("due_at", Timestamp),
    UniqueConstraint("trigger_id", "delivery_id"),
    # With the reason, the deliveries of the last minute are counted in the index alone.
    Index("ix_deliveries_trigger_id_created_at", "trigger_id", "created_at", "reason"),
)
Index(
    "ix_deliveries_due_at",
    deliveries.c.due_at,
    sqlite_where=deliveries.c.status == "accepted",
    postgresql_where=deliveries.c.status == "accepted",
)

# Accounts of outside services: what the product calls a connection.
credentials = Table(
    "credentials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("integration_id", String(64), nullable=False),
    # The account as the service names it: one person may connect several.
    Column("account_id", String(255), nullable=False),
    Column("workspace_name", String(255), nullable=False),
    Column("app_id", ForeignKey("oauth_apps.id")),
    Column("status", String(16), nullable=False),
    Column("problem", Text, nullable=False),
    Column("access_token_encrypted", LargeBinary, nullable=False),
    Column("refresh_token_encrypted", LargeBinary),
    Column("token_type", String(32), nullable=False),
    Column("expires_at", Timestamp),
    Column("scopes", Document, nullable=False),
    # Rises with each pair of tokens. A refresh is noted before it is asked for: while the note stands,
    # nobody knows whether the service has taken the refresh token.
    Column("version", Integer, nullable=False),
    Column("refresh_began_at", Timestamp),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    UniqueConstraint("tenant_id", "user_id", "integration_id", "account_id"),
    Index("ix_credentials_tenant_id_created_at", "tenant_id", "created_at"),
)

# A tenant's own app at a service, in place of the platform's.
oauth_apps = Table(
    "oauth_apps",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("integration_id", String(64), nullable=False),
    Column("client_id", String(255), nullable=False),
    Column("client_secret_encrypted", LargeBinary, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    UniqueConstraint("tenant_id", "integration_id"),
)

# A way to begin a consent in a browser that has no credential of ours. Its ticket is kept as a hash.
oauth_links = Table(
    "oauth_links",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("integration_id", String(64), nullable=False),
    Column("credential_id", String(64)),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    Column("used_at", Timestamp),
)

# One row a consent that somebody is asked for. `state` is not kept, only its hash.
oauth_states = Table(
    "oauth_states",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("integration_id", String(64), nullable=False),
    Column("app_id", String(64)),
    Column("session_id", String(64), nullable=False),
    Column("browser_hash", String(64), nullable=False),
    Column("verifier_encrypted", LargeBinary, nullable=False),
    # The connection that is to be mended; null where it is a new one.
    Column("credential_id", String(64)),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    Column("used_at", Timestamp),
)
