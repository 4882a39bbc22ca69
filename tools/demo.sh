#!/usr/bin/env bash
# Collects a sample store the way an operator would: look first, then remove, then look again.
set -euo pipefail
rm -rf demo
mkdir -p demo
cat >demo/config.yml <<YAML
version: 0.1
storage:
  filesystem:
    rootdirectory: $PWD/demo/store
  maintenance:
    readonly:
      enabled: true
YAML

say() { printf '\n\033[1m%s\033[0m\n' "$1"; }
collect() {
    echo "\$ regsweep garbage-collect $* demo/config.yml"
    regsweep garbage-collect "$@" demo/config.yml >demo/lines.txt
    # The reference's lines go to standard output; a terminal wants no more than their end.
    tail -n "${show:-3}" demo/lines.txt
}

say "A sample store: repositories, images, indexes, artifacts, and garbage"
regsweep bench generate demo/store --preset small
say "1. Dry run: what would be freed"
collect --dry-run --delete-untagged
say "2. For real"
collect --delete-untagged
say "3. A second run finds nothing"
collect --delete-untagged | tee demo/second.txt
grep -q ', 0 blobs and 0 manifests eligible for deletion$' demo/second.txt
