"""Names that look unused to vulture and are not, each group with who uses it. Read, never run.

Add a name only when something other than our code calls or reads it. Dead code is deleted instead.
"""
# ruff: noqa: B018, F821
# mypy: ignore-errors

# Columns of `agent_configs` and `agent_executions`: read and written as whole rows, and sent as JSON.
_.schedule
_.event_config
_.sharing_level
_.shared_with
_.created_by
_.decided_at
_.error_skill
_.skill_results
_.overrun_usd
_.starts_on

# Values of stored words; rows and requests hold them.
_.SCHEDULED
_.EVENT_DRIVEN
_.TEAM
_.B2B2C
_.ADMIN
_.BUILDER
_.OPERATOR
_.STARTER
_.VIEWER
_.SKIP
_.EFFECT
_.TOOL_CALL
_.INPUT

# Fields of the claude-code profile: parsed for whoever looks at a skill.
_.user_invocable
_.disable_model_invocation
_.argument_hint
_.priority

# Names that the product documents give to users of the library (SKL-8, EXE-1, RAC-1).
_.catalogue
_.parse_full
_.write_skill
_.delete_skill
_.OrchestrationEngine
_.execute_agent
_.execute_single_skill
_.iteration

# Shown by the live view, which picks the method by the event's type.
_._run_queued
_._run_started
_._skill_started
_._skill_resumed
_._model_answered
_._tool_answered
_._conversation_compacted
_._tools_left_out
_._skill_completed
_._skill_failed
_._skill_waiting
_._decision_made
_._items_found
_._run_controlled
_._fire_skipped
_._run_retried
_._skill_skipped
_._steered
_._approval_reminded
_._approval_escalated
_._budget_warning
_._budget_raised
_._run_finished

# Read by pydantic, SQLAlchemy, sqlite3, typer and the Temporal SDK.
_.model_config
_.impl
_.cache_ok
_.process_bind_param
_.process_result_value
_.isolation_level
_.__signature__
_.__annotations__
_.start_to_close_timeout
_.retry_policy
_.get_field_value
_.settings_customise_sources
file_secret_settings
_.look_for_connection
_.freshen
_.look_again

# The product documents fix these names.
_.complete_flow
_.get_access_token

# Named in annotations that are text.
AsyncMessageStream
ContentBlock
TransportStreams
ParsedMessageStreamEvent
ChatCompletionChunk
ChoiceDeltaToolCall
ResponseStreamEvent
