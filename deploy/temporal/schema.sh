#!/bin/sh
# Makes Temporal's two databases and brings them to the schema of this admin-tools image. Safe to
# repeat: what is there stays. An upgrade goes one minor version of Temporal at a time.
set -eu

: "${POSTGRES_HOST:?}" "${POSTGRES_USER:?}" "${SQL_PASSWORD:?}"

sql_tool() {
  database=$1
  shift
  temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_HOST" -p "${POSTGRES_PORT:-5432}" \
    -u "$POSTGRES_USER" --db "$database" "$@"
}

bring_up_to_date() {
  database=$1
  schema=$2
  sql_tool "$database" create
  sql_tool "$database" setup-schema -v 0.0
  sql_tool "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
}

bring_up_to_date temporal temporal
bring_up_to_date temporal_visibility visibility
