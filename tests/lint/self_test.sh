#!/usr/bin/env bash
# The include check finds what it is there to find: each planted include is reported, good ones not.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

failed=0
try() {  # good|bad FILE INCLUDE
  rm -rf "${tree:?}"/*
  mkdir -p "$tree/$(dirname "$2")"
  printf '#include %s\n' "$3" >"$tree/$2"
  if output=$("$here/includes.sh" "$tree" 2>&1); then result=good; else result=bad; fi
  if [ "$result" != "$1" ]; then
    echo "$2 with #include $3 counts as $result, not $1: $output"
    failed=1
  fi
}

try good controller/core/farm.cc '<vector>'
try good controller/core/farm.cc '"absl/time/time.h"'
try good controller/core/farm.cc '"common/base/digest.h"'
try good controller/core/farm.cc '"controller/core/types.h"'
try bad controller/core/farm.cc '"absl/time/clock.h"'
try bad controller/core/farm.cc '"absl/synchronization/mutex.h"'
try bad controller/core/farm.cc '<thread>'
try bad controller/core/farm.cc '<chrono>'
try bad controller/core/farm.cc '<unistd.h>'
try bad controller/core/farm.cc '"manyarch/v1/types.pb.h"'
try bad controller/core/farm.cc '<spdlog/spdlog.h>'
try bad controller/core/farm.cc '"controller/store/store.h"'
try bad controller/core/farm.cc '"common/os/files.h"'
try bad controller/core/farm.cc '"types.h"'
try bad common/base/ids.cc '<openssl/rand.h>'
try good common/base/digest.cc '<openssl/evp.h>'
try bad common/os/files.cc '"registry/reference.h"'
try bad registry/client.cc '"manyarch/v1/types.pb.h"'
try good controller/store/sqlite_store.cc '<SQLiteCpp/SQLiteCpp.h>'
try good controller/store/sqlite_store.cc '"controller/wire/job.h"'
try bad controller/store/sqlite_store.cc '"controller/rpc/server.h"'
try bad controller/publish/publisher.cc '"controller/store/store.h"'
try bad controller/loop.cc '"worker/core/slots.h"'
try bad worker/build/attempt.cc '"worker/link/session.h"'
try bad worker/agent.cc '"cli/render/tty.h"'
try good worker/agent.cc '"worker/link/session.h"'
try bad cli/commands/build.cc '"controller/core/types.h"'
try bad elsewhere/thing.cc '<vector>'
exit $failed
