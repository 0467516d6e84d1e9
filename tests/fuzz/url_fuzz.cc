// URLs: realms, redirects, upload locations.
#include <cstddef>
#include <cstdint>
#include <string>

#include "registry/url.h"
#include "tests/fuzz/check.h"

namespace manyarch {
namespace {

void CheckUrl(const absl::StatusOr<registry::Url>& url) {
  if (!url.ok()) {
    CheckSentence(url.status());
    return;
  }
  FUZZ_CHECK(url->scheme == "http" || url->scheme == "https");
  FUZZ_CHECK(!url->host.empty() && url->authority.size() > url->host.size());
  const auto again = registry::ParseUrl(url->text);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->text == url->text);
  FUZZ_CHECK(again->authority == url->authority);
}

}  // namespace
}  // namespace manyarch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckUrl(registry::ParseUrl(text));
  const auto base =
      registry::ParseUrl("https://registry.example.com:5000/v2/app/blobs/uploads/1?a=b");
  FUZZ_CHECK(base.ok());
  CheckUrl(registry::ResolveUrl(*base, text));
  const auto quoted = registry::ParseUrl("http://h/?x=" + registry::QueryEscape(text));
  FUZZ_CHECK(quoted.ok() && quoted->host == "h");
  return 0;
}
