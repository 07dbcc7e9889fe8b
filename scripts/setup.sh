#!/usr/bin/env bash
# Make .venv from the pinned requirements and install Crossbook into it. Quick when it is up to date.
# `setup.sh bench` adds what the benchmarks compare with.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv
STAMP=$VENV/.crossbook-setup${1:+-$1}
REQUIREMENTS=requirements/${1:-test}.txt

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

# The place is part of the key: a virtual environment that was copied elsewhere still points to the old one.
key=$(cat requirements/setup.txt "$REQUIREMENTS" requirements/runtime.in pyproject.toml scripts/setup.sh | sha256sum | cut -c1-32)-$(pwd | sha256sum | cut -c1-8)
if [ -x "$VENV/bin/python" ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$key" ]; then
    exit 0
fi

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; }
can_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

apt_python() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing python3.11 and python3.11-venv with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends python3.11 python3.11-venv >/dev/null 2>&1 ||
        { apt-get update >/dev/null && apt-get install -y --no-install-recommends python3.11 python3.11-venv >/dev/null; }
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.11 python3 python3.12 /usr/bin/python3.11; do
        if command -v "$candidate" >/dev/null && fits "$candidate" && can_venv "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

if [ ! -x "$VENV/bin/python" ] || ! fits "$VENV/bin/python" || ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || { apt_python && python=$(find_python); } ||
        die "needs Python 3.11 or 3.12 with venv; on Debian 12: apt-get install python3.11-venv (as root), or name one: make setup PYTHON=/path/to/python3.11"
    say "making $VENV with $("$python" --version)"
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
fi

rm -f "$STAMP"
pip=("$VENV/bin/python" -m pip --disable-pip-version-check install --quiet --no-compile)

# uv reads neither pip's configuration nor its environment; where an index or a certificate is known to pip alone, pip does it.
with_uv() {
    "${pip[@]}" --require-hashes --only-binary :all: -r requirements/setup.txt || return 1
    export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-}} SSL_CERT_FILE=${SSL_CERT_FILE:-${PIP_CERT:-}} UV_LINK_MODE=copy
    [ -n "$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX
    [ -n "$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
    "$VENV/bin/uv" pip install --quiet --no-config --python "$VENV/bin/python" --require-hashes --only-binary :all: \
        -r "$REQUIREMENTS"
}

say "installing the pinned requirements (about 800 MB in $VENV)"
with_uv || "${pip[@]}" --require-hashes --only-binary :all: -r "$REQUIREMENTS"
"${pip[@]}" --no-deps --no-build-isolation --editable .
echo "$key" >"$STAMP"
