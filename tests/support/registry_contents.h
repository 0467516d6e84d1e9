// What a strict registry holds, and its judgement of what is pushed to it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/digest.h"
#include "tests/support/http_server.h"
#include "tests/support/registry_rules.h"

namespace manyarch::testing {

struct StoredManifest {
  std::string bytes;
  std::string media_type;
  absl::Time pushed;
};

struct StoredUpload {
  std::string bytes;
  int state = 0;  // Goes into the Location and must come back.
};

struct StoredRepository {
  std::map<std::string, std::string> blobs;         // By digest.
  std::map<std::string, StoredManifest> manifests;  // By digest.
  std::map<std::string, std::string> tags;          // To digests.
  std::map<std::string, StoredUpload> uploads;      // By id.

  // By tag or digest; null where there is none. `digest` is filled in.
  const StoredManifest* Find(const std::string& name, std::string* digest) const;
  // Drops manifests that no tag leads to, directly or through a list, and that are older.
  void Expire(absl::Time older_than);
};

// The specification's error: {"errors":[{code,message,detail}]}. `detail` is JSON, or empty.
HttpAnswer Refuse(int status, absl::string_view code, absl::string_view message,
                  absl::string_view detail = "");

// Whether these rules let this manifest into the repository; nullopt: they do.
std::optional<HttpAnswer> JudgeManifest(const RegistryRules& rules,
                                        const StoredRepository& repository,
                                        const std::string& content_type, const std::string& bytes);

// What a registry makes up for clients that do not accept what is stored: of a list its image for
// linux/amd64, of that image schema 1; nullopt where it cannot.
std::optional<StoredManifest> Convert(const StoredRepository& repository, const std::string& name,
                                      const StoredManifest& manifest,
                                      const std::function<bool(const std::string& type)>& accepts);

}  // namespace manyarch::testing
