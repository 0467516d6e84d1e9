#!/usr/bin/env bash
# The recipes of docs/ci.md are YAML, one command each, and do what they say: run as the CI systems
# would, against a farm.
. "$(dirname "$0")/farm.sh"
begin
start_farm
mkdir "$work/source"
printf 'FROM scratch\nCOPY Containerfile /\n' >"$work/source/Containerfile"
export PATH=$bin:$PATH

# "## GitLab" to the next heading, what is in its ```yaml.
recipe() {  # HEADING
  awk -v heading="## $1" '
    /^## / { on = $0 == heading }
    /^```/ { fenced = on && $0 == "```yaml"; next }
    fenced' "$root/docs/ci.md" >"$work/recipe.yaml"
  [ -s "$work/recipe.yaml" ] || fail "docs/ci.md has no recipe for $1"
  yq -e . "$work/recipe.yaml" >/dev/null || fail "the recipe for $1 is no YAML"
}
step() {  # JQ_FILTER: the recipe's one command, run in the source
  yq -er "$1" "$work/recipe.yaml" >"$work/step"
  expect_equal "lines of the step" 1 "$(grep -c . "$work/step")"
  sed -i "$2" "$work/step"
  log "\$ $(cat "$work/step")"
  (cd "$work/source" && bash -euo pipefail "$work/step") >"$work/step.out" 2>"$work/step.err" ||
    { cat "$work/step.err"; fail "the step exits with $?"; }
}
# Where the farm of this test is, in place of the one that a recipe names.
expect_controller() {  # JQ_FILTER
  expect_equal "the variable" "farm.example.com:7460" "$(yq -r "$1" "$work/recipe.yaml")"
}

recipe GitLab
expect_controller .image.variables.MANYARCH_CONTROLLER
export CI_REGISTRY_IMAGE=$registry/ci/gitlab CI_COMMIT_SHORT_SHA=1a2b3c4d
step '.image.script[]' ''
expect_true_list "$registry/ci/gitlab:1a2b3c4d" linux/amd64 linux/arm64

recipe "GitHub Actions"
expect_controller .jobs.image.env.MANYARCH_CONTROLLER
export GITHUB_REPOSITORY=ci/github GITHUB_SHA=5e6f
step '.jobs.image.steps[] | .run // empty' "s,ghcr.io,$registry,"
expect_true_list "$registry/ci/github:5e6f" linux/amd64 linux/arm64

recipe Tekton
expect_controller '.spec.steps[0].env[] | select(.name == "MANYARCH_CONTROLLER") | .value'
expect_equal "results" digest "$(yq -r '.spec.results[].name' "$work/recipe.yaml")"
platforms=$(yq -r '.spec.params[] | select(.name == "platforms") | .default' "$work/recipe.yaml")
step '.spec.steps[].script' \
  "s|\$(params.tag)|$registry/ci/tekton:1|; s|\$(params.platforms)|$platforms|; s|\$(results.digest.path)|$work/digest|"
expect_true_list "$registry/ci/tekton:1" linux/amd64 linux/arm64
expect_equal "the result" "$(sed -nE 's/.*@(sha256:[0-9a-f]+)$/\1/p' "$work/step.out" | head -n1)" "$(cat "$work/digest")"

log "a list of what runners have pushed"
(cd "$work/source" && manyarch image create --plain-http "$registry" -t "$registry/ci/gitlab:both" \
  "$registry/ci/gitlab:1a2b3c4d-amd64" "$registry/ci/gitlab:1a2b3c4d-arm64") >"$work/step.out"
expect_true_list "$registry/ci/gitlab:both" linux/amd64 linux/arm64
