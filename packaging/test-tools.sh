#!/bin/sh
# Installs the real exporters and collectors that tests compare with (crates/rahdar-server/tests/it/exporters.rs),
# and strace, by which collectors are killed at every step. Without root, or offline, it says so
# and ends well: the tests then skip what is missing, aloud.
set -eu

# Python libraries that read what we write (crates/rahdar-intel/tests/it/python.rs), in a folder of their own.
libraries="stix2 pymisp"
python="${XDG_CACHE_HOME:-$HOME/.cache}/rahdar-test-tools"
for library in $libraries; do
    "$python/bin/python" -c "import $library" 2>/dev/null && continue
    { python3 -m venv "$python" && "$python/bin/pip" -q install "$library"; } >/dev/null 2>&1 ||
        echo "test-tools: Python's registry cannot be reached, so not installed: $library" >&2
done

packages="nfdump nfdump-sflow pmacct softflowd strace"

missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -z "$missing" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "test-tools: not root, so not installed:$missing" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # A list of words.
if ! { apt-get -q update && apt-get -q install -y --no-install-recommends $missing; } >/dev/null 2>&1; then
    echo "test-tools: apt cannot be reached, so not installed:$missing" >&2
    exit 0
fi
# Debian starts some of them as services; tests start their own.
for service in nfdump nfdump@default softflowd pmacctd nfacctd sfacctd uacctd; do
    { command -v systemctl >/dev/null && systemctl disable --now "$service"; } >/dev/null 2>&1 || true
done
