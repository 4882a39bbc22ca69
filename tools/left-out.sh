#!/usr/bin/env bash
# Says at the end of a test run what was not tested for want of a server or client.
set -euo pipefail
left_out=.tools/left-out
if [ -s "$left_out" ]; then
    echo "left out, with the tests that need them:"
    sed 's/^/  /' "$left_out"
fi
