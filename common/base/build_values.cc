#include "common/base/build_values.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace manyarch {

namespace {

constexpr size_t kLongestId = 128;
constexpr size_t kLongestHost = 253;
constexpr int64_t kLeastMemory = int64_t{6} << 20;  // What OCI runtimes refuse to go below.
constexpr int64_t kMostMemory = int64_t{1} << 50;
constexpr int64_t kLeastCpus = 10;  // The kernel's: 1 ms in 100 ms.
constexpr int64_t kMostCpus = 1'000'000;
constexpr int64_t kMostPriority = 100;
constexpr int64_t kLatestTime = 253'402'300'799;

bool AllOf(absl::string_view text, bool (*good)(unsigned char)) {
  return std::all_of(text.begin(), text.end(),
                     [good](char c) { return good(static_cast<unsigned char>(c)); });
}

bool IsIdCharacter(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
}

bool IsIpv4(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](absl::string_view part) {
           int number = 0;
           return !part.empty() && part.size() <= 3 && AllOf(part, absl::ascii_isdigit) &&
                  absl::SimpleAtoi(part, &number) && number <= 255;
         });
}

bool IsIpv6(absl::string_view text) {
  const std::vector<absl::string_view> groups = absl::StrSplit(text, ':');
  const size_t gap = text.find("::");
  if (groups.size() < 3 || groups.size() > 9 || text.find(":::") != absl::string_view::npos ||
      (gap != absl::string_view::npos && text.find("::", gap + 1) != absl::string_view::npos)) {
    return false;
  }
  if (gap == absl::string_view::npos && groups.size() != 8) return false;
  return std::all_of(groups.begin(), groups.end(), [](absl::string_view group) {
    return group.size() <= 4 && AllOf(group, absl::ascii_isxdigit);
  });
}

absl::Status Invalid(absl::string_view text) { return absl::InvalidArgumentError(text); }

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::Utf8SafeCHexEscape(text.substr(0, 200)), "'");
}

}  // namespace

absl::Status CheckSecretId(absl::string_view kind, absl::string_view id) {
  // "." and ".." would be directories where buildah makes a file of that name.
  if (!id.empty() && id.size() <= kLongestId && AllOf(id, IsIdCharacter) && id != "." &&
      id != "..") {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("the ", kind, " id ", Quoted(id), " is not valid: use 1 to ",
                              kLongestId, " letters, digits, dots, underscores and dashes"));
}

absl::Status CheckAddedHost(absl::string_view entry) {
  const size_t colon = entry.find(':');
  const absl::string_view name = entry.substr(0, colon);
  absl::string_view address =
      colon == absl::string_view::npos ? absl::string_view() : entry.substr(colon + 1);
  if (address == "host-gateway") {
    return Invalid(
        "the added host " + Quoted(entry) +
        " names host-gateway: RUN steps share the worker's network, where the host is 127.0.0.1");
  }
  const bool good_name = !name.empty() && name.size() <= kLongestHost && name.front() != '-' &&
                         AllOf(name, IsIdCharacter);
  if (good_name && (IsIpv4(address) || IsIpv6(address))) return absl::OkStatus();
  return Invalid(
      absl::StrCat("the added host ", Quoted(entry), " is not NAME:ADDRESS with an IP address"));
}

absl::Status CheckNetwork(absl::string_view network) {
  if (network.empty() || network == "default" || network == "host" || network == "none") {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("the network ", Quoted(network),
                              " is not known: use default or host (the worker's own), or none"));
}

absl::Status CheckName(absl::string_view kind, absl::string_view name) {
  if (!name.empty() && name.find('=') == absl::string_view::npos) return CheckText(kind, name);
  return Invalid(absl::StrCat("the ", kind, " ", Quoted(name),
                              " is not valid: a name is not empty and has no '=' in it"));
}

absl::Status CheckText(absl::string_view what, absl::string_view text) {
  if (text.find('\0') == absl::string_view::npos) return absl::OkStatus();
  return Invalid(absl::StrCat("the ", what, " ", Quoted(text),
                              " has a NUL byte in it, which no command takes"));
}

absl::StatusOr<int64_t> ParseMemory(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  const size_t digits = std::min(lower.find_first_not_of("0123456789."), lower.size());
  const std::string unit = lower.substr(digits);
  int shift = unit.empty() || unit == "b" ? 0 : -1;
  constexpr std::pair<char, int> kUnits[] = {{'k', 10}, {'m', 20}, {'g', 30}, {'t', 40}};
  for (const auto& [letter, power] : kUnits) {
    const std::string one(1, letter);
    if (unit == one || unit == one + "b" || unit == one + "ib") shift = power;
  }
  double number = 0;
  if (shift < 0 || !absl::SimpleAtod(lower.substr(0, digits), &number) || number > 1e15) {
    return Invalid(absl::StrCat(Quoted(text), " is not a size: write it like 512m or 2g"));
  }
  const auto bytes = static_cast<int64_t>(std::min(std::ldexp(number, shift), 1e18));
  MA_RETURN_IF_ERROR(CheckMemory(bytes));
  return bytes;
}

absl::Status CheckMemory(int64_t bytes) {
  if (bytes == 0 || (bytes >= kLeastMemory && bytes <= kMostMemory)) return absl::OkStatus();
  return Invalid(absl::StrCat("a memory limit of ", bytes,
                              " bytes is out of range: use 6 MiB or more, or 0 for none"));
}

absl::Status CheckCpus(int64_t thousandths) {
  if (thousandths == 0 || (thousandths >= kLeastCpus && thousandths <= kMostCpus)) {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("a limit of ", static_cast<double>(thousandths) / 1000,
                              " CPUs is out of range: use 0.01 to 1000, or 0 for none"));
}

absl::Status CheckPriority(int64_t priority) {
  if (priority >= -kMostPriority && priority <= kMostPriority) return absl::OkStatus();
  return Invalid(absl::StrCat("the priority ", priority, " is out of range: use -", kMostPriority,
                              " to ", kMostPriority));
}

absl::Status CheckTimestamp(int64_t seconds) {
  if (seconds >= 0 && seconds <= kLatestTime) return absl::OkStatus();
  return Invalid(absl::StrCat("the timestamp ", seconds,
                              " is out of range: it is in seconds since 1970, up to year 9999"));
}

}  // namespace manyarch
