// auth.json and docker's config.json.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "registry/auth_file.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto file = registry::AuthFile::Parse(text);
  if (!file.ok()) {
    CheckSentence(file.status());
    // The corpus' password, unless it has become a part of a host's name, too.
    if (absl::StrContains(text, "\"password\":\"s3cret\"") &&
        text.find("s3cret") == text.rfind("s3cret")) {
      FUZZ_CHECK(!absl::StrContains(file.status().message(), "s3cret"));
    }
    return 0;
  }
  for (const char* registry : {"docker.io", "quay.io", "localhost:5000", "[::1]:5000", ""}) {
    for (const char* repository : {"library/alpine", "team/app", "team/app/part", "", "/"}) {
      for (const registry::CredentialSource& source : file->SourcesFor(registry, repository)) {
        FUZZ_CHECK(source.credentials.has_value() == source.helper.empty());
        const auto& known = source.credentials;
        if (known) FUZZ_CHECK(!known->user.empty() || !known->secret().empty());
      }
    }
  }
  // What is handed on can be read.
  FUZZ_CHECK(registry::AuthFile::Parse(registry::WriteAuthFile(file->Entries())).ok());
  return 0;
}
