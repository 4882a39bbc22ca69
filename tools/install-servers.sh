#!/usr/bin/env bash
# Installs the registries and clients that the tests run against; what is there already stays.
#
#   Debian: docker-registry (CNCF Distribution 2.8.2), skopeo, umoci, strace
#   Go:     CNCF Distribution 3.1.2 as `registry`, oras
#
# What cannot be had is named in .tools/left-out, and is an error if REGSWEEP_REQUIRE_SERVERS is set.
set -euo pipefail
bin=$1
mkdir -p "$bin"
left_out=$(dirname "$bin")/left-out
: >"$left_out"

leave_out() {
    echo "$1: $2" >>"$left_out"
}

packages=()
for program in docker-registry skopeo umoci strace; do
    command -v "$program" >/dev/null || packages+=("$program")
done
if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # The packages' services are not to start here: every test starts its own.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod +x "$policy"
            trap 'rm -f "$policy"' EXIT
        fi
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
    else
        for program in "${packages[@]}"; do
            leave_out "$program" "needs root and apt to install"
        done
    fi
fi

install_go() { # program, package
    [ -x "$bin/$1" ] && return
    if ! command -v go >/dev/null; then
        leave_out "$1" "needs Go to build"
        return
    fi
    echo "building $1 ..."
    GOBIN=$bin GOFLAGS=-mod=mod go install "$2" || leave_out "$1" "go install $2 failed"
}
install_go registry github.com/distribution/distribution/v3/cmd/registry@v3.1.2
install_go oras oras.land/oras/cmd/oras@v1.3.6

if [ -s "$left_out" ] && [ -n "${REGSWEEP_REQUIRE_SERVERS:-}" ]; then
    echo "missing, although every server is required:" >&2
    cat "$left_out" >&2
    exit 1
fi
