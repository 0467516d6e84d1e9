#!/usr/bin/env bash
# Every command line of manyarch in README.md and docs/ is one that the program takes: flags, their
# values and the number of words. In ```-blocks each line with the command, in text each `manyarch …`,
# which may leave words out.
#
# MANYARCH_BIN is the folder with the programs; ctest sets it.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${MANYARCH_BIN:-build/dev/bin}

# "FILE:LINE<TAB>command line" for each; a backslash at a line's end joins it with the next.
commands() {
  awk '
    function give(where, text) { print where "\t" text }
    FNR == 1 { fenced = 0; held = "" }
    /^ *```/ { fenced = !fenced; next }
    fenced {
      line = held $0
      if (line ~ /\\$/) { held = substr(line, 1, length(line) - 1); next }
      held = ""
      if (line !~ /^ *#/ && match(line, /(^|[ \/])manyarch /)) give(FILENAME ":" FNR, substr(line, RSTART))
      next
    }
    {
      while (match($0, /`manyarch [^`]*`/)) {
        give(FILENAME ":" FNR " in text", substr($0, RSTART + 1, RLENGTH - 2))
        $0 = substr($0, RSTART + RLENGTH)
      }
    }' README.md docs/*.md
}

checked=0 bad=0
while IFS=$'\t' read -r where line; do
  line=${line#*manyarch }
  line=${line%%[|>;&]*}         # What the shell does with it.
  line=${line%% #*}
  line=${line//…/}              # "and so on"
  line=${line//'$('/}           # Substitutions stand for words.
  line=${line//')'/}
  mapfile -t words < <(xargs -n1 printf '%s\n' <<<"$line")
  [ "${#words[@]}" = 1 ] && [ -z "${words[0]}" ] && continue
  checked=$((checked + 1))
  if ! said=$("$bin/manyarch" __check "${words[@]}" 2>&1); then
    [[ $where = *"in text" && $said = *" required"* ]] && continue
    echo "$where: manyarch $line"
    echo "  ${said%%$'\n'*}"
    bad=1
  fi
done < <(commands)
[ "$checked" -gt 10 ] || { echo "only $checked command lines were found"; bad=1; }
[ "$bad" = 0 ] && echo "$checked command lines are sound"
exit $bad
