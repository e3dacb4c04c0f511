#!/bin/sh
# Run by the postgres image once, when its volume is new. Each of the two gets a role of its own:
# Temporal's cannot open OmniForge's database, and neither is a superuser, whom row-level security
# would not bind.
set -eu

psql --set ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv omniforge_password OMNIFORGE_DB_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD
CREATE ROLE omniforge LOGIN PASSWORD :'omniforge_password';
CREATE DATABASE omniforge OWNER omniforge;
REVOKE CONNECT ON DATABASE omniforge FROM PUBLIC;
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'temporal_password';
SQL
