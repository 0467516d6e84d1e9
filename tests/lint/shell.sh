#!/usr/bin/env bash
# Checks every shell script with shellcheck. Switched off:
#   SC2034, SC2154   variables that a sourced file sets or reads
#   SC2119, SC2120   functions whose arguments are optional
#   SC2054           lists of platforms have commas
#   SC1091           sourced files are checked by themselves
set -euo pipefail
# shellcheck source=tests/lint/files.sh
. "$(dirname "$0")/files.sh"
project_files '*.sh' '.ci/run' 'tests/e2e/chaos' |
  xargs -r shellcheck --severity=warning --shell=bash -e SC2034,SC2154,SC2119,SC2120,SC2054,SC1091
