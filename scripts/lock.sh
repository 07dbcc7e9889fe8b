#!/usr/bin/env bash
# Compile requirements/*.in to pinned, hashed .txt files that name no index. Versions already pinned stay unless UPGRADE=1.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
"${PYTHON:-.venv/bin/python}" -m venv "$tool"
"$tool/bin/pip" install --quiet -r requirements/setup.in

for name in setup runtime analysis load test bench; do
    "$tool/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links --no-config ${UPGRADE:+--upgrade} \
        "requirements/$name.in" --output-file "requirements/$name.txt"
done
if grep -nE 'https?://' requirements/*.txt; then
    echo "lock: the files above name a host" >&2
    exit 1
fi
