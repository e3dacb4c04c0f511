#!/bin/sh
# Waits for the Temporal server, then makes the namespace and OmniForge's search attributes where
# they are missing. Safe to repeat. The address comes from TEMPORAL_ADDRESS, which the CLI reads.
set -eu

: "${TEMPORAL_ADDRESS:?}"
namespace=${TEMPORAL_NAMESPACE:-default}

# Fresh servers and fresh namespaces take some seconds until every part of the server knows them.
eventually() {
  tries=${TRIES:-60}
  until "$@"; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      echo "Gave up on: $*" >&2
      exit 1
    fi
    sleep 1
  done
}

operator() {
  temporal operator "$@" --command-timeout 10s
}

ensure_namespace() {
  operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
    operator namespace create --namespace "$namespace" --retention "${TEMPORAL_RETENTION:-30d}"
}

eventually operator cluster health
eventually ensure_namespace
for name in OfTenant OfAgent OfStatus OfKind; do
  eventually operator search-attribute create --namespace "$namespace" --name "$name" --type Keyword
done
