#!/usr/bin/env bash
# Every message, enum, field, value and call of the wire has a comment: on its line or right above it.
set -euo pipefail
cd "$(dirname "$0")/../.."

bare=$(awk '
  FNR == 1 { above = 0 }
  /^[ \t]*\/\// { above = 1; next }
  # Closing lines, blank lines and the file header say nothing that needs a word.
  /^[ \t]*(}|$|syntax|package|import|option )/ { above = 0; next }
  /^[ \t]*(message|enum|service|oneof|rpc|[a-zA-Z_.<>, 0-9]+ [a-z_0-9]+ = [0-9]+|[A-Z_0-9]+ = [0-9]+)/ {
    if (!above && $0 !~ /\/\//) print FILENAME ":" FNR ": " $0
  }
  { above = 0 }
' proto/manyarch/v1/*.proto)
if [ -n "$bare" ]; then
  echo "without a comment:"
  echo "$bare"
  exit 1
fi
echo "every part of the wire is commented"
