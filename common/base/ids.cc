#include "common/base/ids.h"

#include <random>

#include "absl/strings/str_cat.h"

namespace manyarch {

std::string JobIdFrom(uint64_t random) {
  constexpr absl::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id = "j";
  for (int i = 0; i < 12; ++i) {
    id.push_back(kAlphabet[random & 31]);
    random >>= 5;
  }
  return id;
}

std::string AttemptId(absl::string_view job_id, const Platform& platform, int number) {
  return absl::StrCat(job_id, "-", ArchTagSuffix(platform), "-", number);
}

std::string StagingTag(absl::string_view attempt_id) {
  return absl::StrCat("manyarch-", attempt_id);
}

uint64_t RandomBits() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace manyarch
