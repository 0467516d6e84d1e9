# Sourced by the checks beside it: cd to the tree under check and list its own C++ files.
# The tree is the first argument, the project itself by default.

cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 2

# What git knows or would add; a tree without git (a release tarball) is searched instead.
project_files() {  # PATTERN...
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
      [ -e "$file" ] && printf '%s\n' "$file"
    done
  else
    local names=() pattern
    for pattern; do names+=(-o -name "$pattern"); done
    find . -path ./build -prune -o -type f \( "${names[@]:1}" \) -print | sed 's#^\./##'
  fi | sort
}
