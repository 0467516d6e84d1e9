#include "tests/support/registry_rules.h"

namespace manyarch::testing {

RegistryRules Spec() { return {}; }

RegistryRules DockerDistribution() {
  RegistryRules rules;
  rules.name = "docker-registry";
  rules.converts = true;
  rules.stores_posted_blob = false;
  rules.absolute_location = true;
  return rules;
}

RegistryRules Quay() {
  RegistryRules rules;
  rules.name = "quay";
  rules.checks_lists = true;
  rules.checks_layers = true;
  rules.json_is_schema1 = true;
  rules.converts = true;
  rules.one_tag_at_a_time = true;
  rules.deletes_tags = true;
  rules.untagged_expires = absl::Seconds(3600);
  rules.mount_needs_from = true;
  rules.redirects_blobs = true;
  return rules;
}

RegistryRules DockerHub() {
  RegistryRules rules;
  rules.name = "docker hub";
  rules.deletes_manifests = false;
  rules.absolute_location = true;
  rules.two_part_names = true;
  rules.redirects_blobs = true;
  return rules;
}

RegistryRules Ecr() {
  RegistryRules rules;
  rules.name = "ecr";
  rules.patch_status = 201;
  rules.repositories_must_exist = true;
  rules.cancels_uploads = false;
  rules.puts_per_second = 10;
  rules.redirects_blobs = true;
  return rules;
}

RegistryRules Gcr() {
  RegistryRules rules;
  rules.name = "gcr";
  rules.challenges_everywhere = false;
  rules.deletes_tags = true;
  return rules;
}

RegistryRules OldHarbor() {
  RegistryRules rules = DockerDistribution();
  rules.name = "harbor 1.8";
  rules.takes_lists = false;
  return rules;
}

RegistryRules Harbor() {
  RegistryRules rules;
  rules.name = "harbor";
  rules.deletes_tags = true;
  rules.repositories_must_exist = true;  // Its project must.
  return rules;
}

RegistryRules GitLab() {
  RegistryRules rules = DockerDistribution();
  rules.name = "gitlab";
  rules.deletes_tags = true;
  return rules;
}

RegistryRules Ghcr() {
  RegistryRules rules;
  rules.name = "ghcr";
  rules.deletes_manifests = false;
  rules.redirects_blobs = true;
  rules.denied_status = 403;
  return rules;
}

RegistryRules Artifactory() {
  RegistryRules rules;
  rules.name = "artifactory";
  rules.digest_header = false;
  rules.null_tag_list = true;
  rules.digests_in_tag_list = true;
  return rules;
}

}  // namespace manyarch::testing
