#!/usr/bin/env bash
# Checks every shell script with shellcheck.
set -euo pipefail
# shellcheck source=tests/lint/files.sh
. "$(dirname "$0")/files.sh"
project_files '*.sh' '.ci/run' | xargs -r shellcheck --severity=warning --shell=bash -x -e SC1091
