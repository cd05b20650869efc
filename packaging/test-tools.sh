#!/bin/sh
# Installs the real exporters and collectors that tests compare with (crates/rahdar-server/tests/it/exporters.rs),
# and strace, by which collectors are killed at every step. Without root, or offline, it says so
# and ends well: the tests then skip what is missing, aloud.
set -eu

# Python libraries that read what we write (crates/rahdar-intel/tests/it/python.rs), and a TAXII server that we read
# (crates/rahdar/tests/it/feeds/medallion.rs), in a folder of their own. For what is there already pip asks nobody.
python="${XDG_CACHE_HOME:-$HOME/.cache}/rahdar-test-tools"
[ -x "$python/bin/pip" ] || python3 -m venv "$python" >/dev/null 2>&1 || true
for library in stix2==3.0.2 pymisp==2.5.34.4 medallion==3.0.0; do
    "$python/bin/pip" -q --disable-pip-version-check install "$library" >/dev/null 2>&1 ||
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
install() {
    # shellcheck disable=SC2086 # A list of words.
    { apt-get -q update && apt-get -q install -y --no-install-recommends $missing; } >/dev/null 2>&1
}
if ! { install || { sleep 10 && install; } }; then
    echo "test-tools: apt cannot be reached, so not installed:$missing" >&2
    exit 0
fi
# Debian starts some of them as services; tests start their own. A package that was here before is somebody's: its
# services are left alone.
for package in $missing; do
    case $package in
        nfdump) services="nfdump nfdump@default" ;;
        pmacct) services="nfacctd pmacctd sfacctd uacctd" ;;
        softflowd) services="softflowd softflowd@default" ;;
        *) services="" ;;
    esac
    for service in $services; do
        { command -v systemctl >/dev/null && systemctl disable --now "$service"; } >/dev/null 2>&1 || true
    done
done
