#!/usr/bin/env bash
# Builds everything and runs every test: lint, unit, simulation, integration, end to end; then the
# sanitizer builds with theirs. On Debian 12 (or 13) as root, or with sudo for what needs it.
#
#   tests/run.sh                 all of it
#   tests/run.sh CTEST_ARGS...   only the ordinary build, with these arguments to ctest, e.g. -L unit
set -euo pipefail
cd "$(dirname "$0")/.."

# End-to-end tests run builds: those need root, and so does installing.
if [ "$(id -u)" != 0 ]; then
  exec sudo -E "$0" "$@"
fi

step() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }

step "Packages"
deploy/local/packages.sh build run test
deploy/local/binfmt.sh aarch64

launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
  # Objects are found again from another clone, or from another path, too.
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
fi

build() {  # PRESET [TARGET]
  step "Build: $1"
  # Line numbers in back traces are all that tests need of debug information.
  cmake --preset "$1" -DCMAKE_CXX_FLAGS_DEBUG=-g1 "${launcher[@]}" >"build-$1.log" 2>&1 || { cat "build-$1.log"; rm -f "build-$1.log"; exit 1; }
  rm -f "build-$1.log"
  cmake --build "build/$1" --target "${2:-all}" -- --quiet
}

failed=()
run() {  # PRESET CTEST_ARGS...
  local preset=$1
  shift
  step "Test: $preset"
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" "$@" || failed+=("$preset")
}

build dev
if [ $# -gt 0 ]; then
  run dev "$@"
  exit "${#failed[@]}"
fi

build asan unit_tests
run asan -L 'unit|sim'
build tsan unit_tests
# gcc's thread sanitizer needs address space laid out in its way; newer kernels spread it wider.
run tsan -L 'unit|sim' -R 'core|loop|sim_test'
# The whole at last, so that its closing lines are the last ones.
run dev

if [ ${#failed[@]} != 0 ]; then
  echo "FAILED in: ${failed[*]}"
  exit 1
fi
