// What registries do differently from the distribution specification, and from each other.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace manyarch::testing {

struct RegistryRules {
  std::string name = "spec";

  // Manifests.
  bool takes_lists = true;  // Harbor 1.8 to 1.10 did not: 415.
  bool takes_oci = true;
  bool checks_lists = false;     // Every entry whole; children here, of exact size, their configs
                                 // of the entry's platform.
  bool checks_layers = false;    // v2s2 layers are gzip.
  bool needs_children = true;    // 400 where a list's child is not in the repository.
  bool json_is_schema1 = false;  // Content-Type absent or application/json.
  bool converts = false;  // A GET that does not accept the stored type is answered with schema 1.
  bool one_tag_at_a_time = false;  // Writing one manifest under two names at once is refused.
  bool digest_header = true;       // Docker-Content-Digest is optional.
  bool deletes_manifests = true;   // Else 405.
  bool deletes_tags = false;       // DELETE by tag removes the tag alone; else 400.
  bool immutable_tags = false;     // A tag is written once.
  absl::Duration untagged_expires = absl::InfiniteDuration();  // Since it was last pushed.

  // Blobs and uploads.
  int patch_status = 202;          // ECR: 201.
  bool stores_posted_blob = true;  // POST ?digest= stores; else it only opens an upload.
  bool mount_needs_from = false;
  bool cancels_uploads = true;     // Else DELETE of an upload is 405.
  bool absolute_location = false;  // Of uploads; else relative.
  bool redirects_blobs = false;    // To a storage that refuses whoever comes with credentials.

  // Repositories and tags.
  bool repositories_must_exist = false;
  bool two_part_names = false;       // Docker Hub has no repository "alpine".
  bool null_tag_list = false;        // "tags": null where there are none.
  bool digests_in_tag_list = false;  // Untagged manifests are listed too.

  // Being kind to it.
  int requests_per_second = 0;  // 0: as many as you like.
  int puts_per_second = 0;      // Of manifests.
  int manifest_gets = 0;        // In all; 0: any number. HEADs are not counted.

  // Authentication.
  bool challenges_everywhere = true;  // GCR names its realm at /v2/ alone.
  int denied_status = 401;            // For a token without the scope needed.
};

RegistryRules Spec();
RegistryRules DockerDistribution();  // docker-registry 2.8.2.
RegistryRules Quay();
RegistryRules DockerHub();
RegistryRules Ecr();
RegistryRules Gcr();
RegistryRules OldHarbor();  // 1.8 to 1.10
RegistryRules Harbor();
RegistryRules GitLab();
RegistryRules Ghcr();
RegistryRules Artifactory();

}  // namespace manyarch::testing
