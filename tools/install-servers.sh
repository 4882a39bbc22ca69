#!/usr/bin/env bash
# Installs the registries, object stores and clients that the tests run against; what is there already stays.
#
#   Debian: docker-registry (CNCF Distribution 2.8.2), redis-server, skopeo, umoci, strace, chromium
#   Go:     CNCF Distribution 3.1.2 as `registry`, oras; versitygw (S3), fake-gcs-server (GCS)
#   npm:    Azurite (Azure), as `azurite-blob`
#
# moto, another S3, comes with the Python environment.
#
# What cannot be had is named in .tools/left-out, and is an error if REGSWEEP_REQUIRE_SERVERS is set.
set -euo pipefail
bin=$1
mkdir -p "$bin"
left_out=$(dirname "$bin")/left-out
: >"$left_out"

leave_out() { # program, reason
    echo "$1: $2" >>"$left_out"
}

missing() { # programs; prints those that are not there
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || echo "$program"
    done
}

install_packages() {
    # The packages' services are not to start here: every test starts its own.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        # shellcheck disable=SC2064  # the path as it is now
        trap "rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    local package
    apt-get -qq -o Acquire::Retries=3 update || return 0
    # One by one: where one is not to be had, the others still are.
    for package in "$@"; do
        echo "installing $package ..."
        apt-get -qq -o Acquire::Retries=3 install -y --no-install-recommends "$package" >/dev/null || true
    done
}

# Each program is in the package of its name.
mapfile -t packages < <(missing docker-registry redis-server skopeo umoci strace chromium)
if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        install_packages "${packages[@]}"
        reason="apt could not install it"
    else
        reason="needs root and apt to install"
    fi
    for program in $(missing "${packages[@]}"); do
        leave_out "$program" "$reason"
    done
fi

install_azurite() { # version
    local program=azurite-blob version=$1 directory
    directory=$(dirname "$bin")/azurite
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        leave_out "$program" "needs Node and npm"
        return
    fi
    if [ -x "$bin/$program" ] && grep -qF "\"version\": \"$version\"" "$directory/node_modules/azurite/package.json"; then
        return
    fi
    echo "installing azurite $version ..."
    # It asks for a newer Node than Debian has, and does not need one; npm says so as a warning.
    if ! npm install --no-fund --no-audit --ignore-scripts --loglevel=error --prefer-offline --no-save \
        --prefix "$directory" "azurite@$version" >/dev/null; then
        leave_out "$program" "npm install azurite@$version failed"
        return
    fi
    printf '#!/bin/sh\nexec node "%s" "$@"\n' "$directory/node_modules/azurite/dist/src/blob/main.js" >"$bin/$program"
    chmod +x "$bin/$program"
}
# Unpacking its fifty thousand files waits for the disk; building below keeps the processors busy.
install_azurite 3.37.0 &
azurite=$!

install_go() { # program, package, version
    local program=$1 package=$2 version=$3
    if ! command -v go >/dev/null; then
        [ -x "$bin/$program" ] || leave_out "$program" "needs Go to build"
        return
    fi
    if [ -x "$bin/$program" ] && go version -m "$bin/$program" | grep -qF "$version"; then
        return
    fi
    echo "building $program $version ..."
    # Linking without symbols takes half the time.
    GOBIN=$bin GOFLAGS='-mod=mod -ldflags=-s' go install "$package@$version" ||
        leave_out "$program" "go install $package@$version failed"
}
install_go registry github.com/distribution/distribution/v3/cmd/registry v3.1.2
install_go oras oras.land/oras/cmd/oras v1.3.6
install_go versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0
install_go fake-gcs-server github.com/fsouza/fake-gcs-server v1.56.1
wait "$azurite"

if [ -s "$left_out" ] && [ -n "${REGSWEEP_REQUIRE_SERVERS:-}" ]; then
    echo "missing, although every server is required:" >&2
    cat "$left_out" >&2
    exit 1
fi
