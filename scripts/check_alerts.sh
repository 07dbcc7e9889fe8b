#!/usr/bin/env bash
# Check the Prometheus configuration, the rules and their unit tests with promtool (Debian: apt-get install prometheus).
set -euo pipefail
cd "$(dirname "$0")/../prometheus"

if ! command -v promtool >/dev/null; then
    echo "alerts: promtool is not here (Debian: apt-get install prometheus)" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
fi
promtool check config prometheus.yml
promtool check rules --lint=all --lint-fatal rules/*.yml
promtool test rules tests/*.yml
