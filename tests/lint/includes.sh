#!/usr/bin/env bash
# Checks every #include against include_rules.txt: the layers of the program, kept by a machine.
#
#   tests/lint/includes.sh [TREE]
set -euo pipefail
rules=$(realpath "$(dirname "$0")")/include_rules.txt
# shellcheck source=tests/lint/files.sh
# shellcheck source=tests/lint/files.sh
. "$(dirname "$0")/files.sh"

project_files '*.cc' '*.h' | grep -v '^tests/' | xargs -r grep -HnE '^[[:space:]]*#[[:space:]]*include' |
  awk -v rules="$rules" '
    BEGIN {
      while ((getline line < rules) > 0) {
        if (line ~ /^[ \t]*(#|$)/) continue
        split(line, part, /:[ \t]*/)
        allowed[part[1]] = part[2]
      }
      effects = " thread mutex condition_variable future shared_mutex stop_token semaphore latch " \
                "barrier atomic chrono filesystem fstream iostream cstdio ctime csignal random "
    }
    # The C++ library has no dots and no slashes in its names.
    function is_std(h) { return h !~ /[.\/]/ && index(effects, " " h " ") == 0 }
    function is_posix(h) {
      return h !~ /[.\/]/ || h ~ /^(sys|linux|netinet|arpa|net|bits|asm)\// ||
             (h ~ /^[a-z0-9_]+\.h$/ && h !~ /^(zstd|sqlite3|archive|archive_entry)\.h$/)
    }
    {
      file = $0; sub(/:.*/, "", file)
      rest = substr($0, length(file) + 2)
      number = rest; sub(/:.*/, "", number)
      header = $0
      if (!match(header, /["<][^">]*[">]/)) next
      quoted = substr(header, RSTART, 1) == "\""
      header = substr(header, RSTART + 1, RLENGTH - 2)

      rule = file
      while (!(rule in allowed) && rule ~ /\//) sub(/\/[^\/]*$/, "", rule)
      where = file ":" number ": "
      if (!(rule in allowed)) {
        print where "no rule covers this folder; add one to tests/lint/include_rules.txt"
        bad++; next
      }
      if (quoted && header !~ /\//) {
        print where "\"" header "\" is not a path from the project root"; bad++; next
      }
      folder = file; sub(/\/[^\/]*$/, "/", folder)
      if (index(header, folder) == 1 && substr(header, length(folder) + 1) !~ /\//) next
      n = split(allowed[rule], what, /[ \t]+/)
      ok = 0
      for (i = 1; i <= n && !ok; i++) {
        if (what[i] == "std") ok = !quoted && is_std(header)
        else if (what[i] == "posix") ok = !quoted && is_posix(header)
        else ok = index(header, what[i]) == 1
      }
      # A clock and a lock behind absl are a clock and a lock.
      if (ok && rule ~ /core$/ && header ~ /^absl\/(synchronization|time\/clock|random|log|flags|debugging)/) ok = 0
      if (!ok) {
        print where rule " may not include " header " (it may: " allowed[rule] ")"
        bad++
      }
    }
    END {
      if (bad) { print bad " forbidden includes"; exit 1 }
      print "all includes keep the rules"
    }'
