#include "common/base/platform.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace manyarch {

namespace {

// The operating systems and architectures that images are made for (Go's names, as the OCI image
// specification demands). What people ask for most stands first: it wins ties between suggestions.
constexpr std::array<absl::string_view, 13> kSystems = {
    "linux",  "windows", "darwin", "freebsd", "netbsd",  "openbsd", "dragonfly",
    "wasip1", "android", "aix",    "ios",     "illumos", "solaris"};
constexpr std::array<absl::string_view, 17> kArchitectures = {
    "amd64", "arm64",  "arm",    "386",  "ppc64le", "s390x", "riscv64", "loong64", "mips64le",
    "ppc64", "mips64", "mipsle", "mips", "sparc64", "riscv", "s390",    "wasm"};

struct ArchAlias {
  absl::string_view name;
  absl::string_view arch;
  absl::string_view variant;  // Empty: the variant that came with the name stays.
};

// Names of machines and of Debian's and Docker's ports; all of them are lower-case.
constexpr std::array<ArchAlias, 22> kAliases = {{
    {"x86_64", "amd64", ""},    {"x86-64", "amd64", ""},
    {"i386", "386", ""},        {"i486", "386", ""},
    {"i586", "386", ""},        {"i686", "386", ""},
    {"aarch64", "arm64", ""},   {"arm64v8", "arm64", ""},
    {"armhf", "arm", "v7"},     {"armv7", "arm", "v7"},
    {"armv7l", "arm", "v7"},    {"arm32v7", "arm", "v7"},
    {"armel", "arm", "v6"},     {"armv6", "arm", "v6"},
    {"armv6l", "arm", "v6"},    {"arm32v6", "arm", "v6"},
    {"arm32v5", "arm", "v5"},   {"armv5l", "arm", "v5"},
    {"ppc64el", "ppc64le", ""}, {"mips64el", "mips64le", ""},
    {"mipsel", "mipsle", ""},   {"loongarch64", "loong64", ""},
}};

// Spellings that are no names of anything but that people do write: they only make suggestions.
constexpr std::array<ArchAlias, 4> kHints = {
    {{"x64", "amd64", ""}, {"x86", "386", ""}, {"armv8", "arm64", ""}, {"intel", "amd64", ""}}};

template <typename Names>
bool Contains(const Names& names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsArch(absl::string_view name) {
  return Contains(kArchitectures, name) ||
         std::any_of(kAliases.begin(), kAliases.end(),
                     [&](const ArchAlias& alias) { return alias.name == name; });
}

// Edit distance in which swapping two neighbours costs one.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

std::string NearestSystem(absl::string_view name) {
  return std::string(*std::min_element(kSystems.begin(), kSystems.end(), [&](auto a, auto b) {
    return Distance(name, a) < Distance(name, b);
  }));
}

// As "arch" or "arch/variant".
std::string NearestArch(absl::string_view name) {
  std::string best;
  size_t least = static_cast<size_t>(-1);
  const auto offer = [&](absl::string_view spelling, absl::string_view arch,
                         absl::string_view variant) {
    const size_t distance = Distance(name, spelling);
    if (distance >= least) return;
    least = distance;
    best = std::string(arch);
    if (!variant.empty()) absl::StrAppend(&best, "/", variant);
  };
  for (const absl::string_view arch : kArchitectures) offer(arch, arch, "");
  for (const ArchAlias& alias : kAliases) offer(alias.name, alias.arch, alias.variant);
  for (const ArchAlias& hint : kHints) offer(hint.name, hint.arch, hint.variant);
  return best;
}

// In messages: what was typed, without control characters and not without end.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, 100)), "'");
}

absl::Status CheckSpelling(absl::string_view text, const std::vector<std::string>& parts) {
  if (text.empty()) {
    return absl::InvalidArgumentError(
        "empty platform: say os/arch or os/arch/variant, e.g. linux/arm64");
  }
  if (parts.size() > 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("platform ", Quoted(text), " has ", parts.size(),
                     " parts: want os/arch or os/arch/variant, e.g. linux/arm/v7"));
  }
  size_t position = 0;
  for (const std::string& part : parts) {
    if (part.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("platform ", Quoted(text), " has an empty part at position ", position + 1,
                       ": want os/arch or os/arch/variant, e.g. linux/arm/v7"));
    }
    for (const char c : part) {
      ++position;
      if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-') {
        return absl::InvalidArgumentError(absl::StrCat(
            "platform ", Quoted(text), " has ", Quoted(std::string(1, c)), " at position ",
            position, ": only letters, digits, '_' and '-' may stand between the slashes"));
      }
    }
    ++position;
  }
  return absl::OkStatus();
}

// The variants a normal form may have; empty: none is known.
absl::string_view KnownVariants(absl::string_view arch) {
  if (arch == "arm") return "v5, v6, v7, v8";
  if (arch == "arm64") return "v8, v9";
  if (arch == "amd64") return "v1, v2, v3, v4";
  return "";
}

absl::Status CheckVariant(absl::string_view text, const Platform& platform) {
  if (platform.variant.empty()) return absl::OkStatus();
  const absl::string_view known = KnownVariants(platform.arch);
  if (known.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("platform ", Quoted(text), ": architecture '", platform.arch,
                     "' has no variants: did you mean '", platform.os, "/", platform.arch, "'?"));
  }
  const std::vector<std::string> variants = absl::StrSplit(known, ", ");
  if (Contains(variants, platform.variant)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("platform ", Quoted(text), ": unknown variant ",
                                                 Quoted(platform.variant), " of '", platform.arch,
                                                 "': known are ", known));
}

}  // namespace

Platform NormalPlatform(absl::string_view os, absl::string_view arch, absl::string_view variant) {
  Platform platform{absl::AsciiStrToLower(os), absl::AsciiStrToLower(arch),
                    absl::AsciiStrToLower(variant)};
  if (platform.os == "macos") platform.os = "darwin";
  for (const ArchAlias& alias : kAliases) {
    if (platform.arch != alias.name) continue;
    platform.arch = std::string(alias.arch);
    if (!alias.variant.empty()) platform.variant = std::string(alias.variant);
    break;
  }
  std::string& v = platform.variant;
  const bool bare_number = v.size() == 1 && absl::ascii_isdigit(static_cast<unsigned char>(v[0]));
  if (platform.arch == "arm") {
    if (v.empty()) v = "v7";
    if (bare_number) v.insert(0, "v");
  } else if (platform.arch == "arm64") {
    if (bare_number) v.insert(0, "v");
    if (v == "v8" || v == "v8.0") v.clear();
  } else if (platform.arch == "amd64") {
    if (bare_number) v.insert(0, "v");
    if (v == "v1") v.clear();
  }
  return platform;
}

absl::StatusOr<Platform> ParsePlatform(absl::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  std::vector<std::string> parts = absl::StrSplit(absl::AsciiStrToLower(trimmed), '/');
  MA_RETURN_IF_ERROR(CheckSpelling(trimmed, parts));

  const std::string first = parts[0] == "macos" ? "darwin" : parts[0];
  const bool has_system = Contains(kSystems, first);
  if (parts.size() == 1 && has_system) {
    return absl::InvalidArgumentError(absl::StrCat(
        "platform ", Quoted(trimmed),
        " names only an operating system: say the architecture too, e.g. '", first, "/amd64'"));
  }
  // "arm64" and "arm/v7" are short for linux.
  const bool short_form =
      !has_system && (parts.size() == 1 || (parts.size() == 2 && IsArch(first)));
  if (short_form) parts.insert(parts.begin(), "linux");

  const bool good_system = short_form || has_system;
  const bool good_arch = IsArch(parts[1]);
  if (!good_system || !good_arch) {
    const std::string system = good_system ? (short_form ? "linux" : first) : NearestSystem(first);
    std::string arch =
        good_arch ? NormalPlatform(system, parts[1], "").arch : NearestArch(parts[1]);
    if (parts.size() == 3 && !absl::StrContains(arch, '/')) {
      const Platform guess = NormalPlatform(system, arch, parts[2]);
      if (!guess.variant.empty() && CheckVariant(trimmed, guess).ok()) {
        absl::StrAppend(&arch, "/", guess.variant);
      }
    }
    return absl::InvalidArgumentError(absl::StrCat("unknown platform ", Quoted(trimmed),
                                                   ": did you mean '", system, "/", arch, "'?"));
  }
  Platform platform = NormalPlatform(parts[0], parts[1], parts.size() == 3 ? parts[2] : "");
  MA_RETURN_IF_ERROR(CheckVariant(trimmed, platform));
  return platform;
}

absl::StatusOr<std::vector<Platform>> ParsePlatformList(absl::Span<const std::string> items) {
  struct Named {
    Platform platform;
    std::string spelling;
  };
  std::vector<Named> found;
  for (const std::string& item : items) {
    for (const absl::string_view piece : absl::StrSplit(item, ',')) {
      const absl::string_view spelling = absl::StripAsciiWhitespace(piece);
      if (spelling.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("empty item in the platform list ",
                                                       Quoted(item),
                                                       ": write it as linux/amd64,linux/arm64"));
      }
      MA_ASSIGN_OR_RETURN(Platform platform, ParsePlatform(spelling));
      for (const Named& other : found) {
        if (other.platform != platform) continue;
        const bool same_spelling = other.spelling == spelling;
        return absl::InvalidArgumentError(absl::StrCat(
            "platform ", Quoted(spelling), " is asked for twice",
            same_spelling ? ""
                          : absl::StrCat(": ", Quoted(other.spelling), " and ", Quoted(spelling),
                                         " are both '", ToString(platform), "'"),
            "; name each platform once"));
      }
      found.push_back({std::move(platform), std::string(spelling)});
    }
  }
  if (found.empty()) {
    return absl::InvalidArgumentError(
        "no platform is asked for: name at least one, e.g. linux/amd64,linux/arm64");
  }
  std::vector<Platform> list;
  for (Named& named : found) list.push_back(std::move(named.platform));
  const auto rank = [](const Platform& p) {
    if (p.os != "linux" || p.arch != "amd64") return 2;
    return p.variant.empty() ? 0 : 1;
  };
  std::stable_sort(list.begin(), list.end(),
                   [&](const Platform& a, const Platform& b) { return rank(a) < rank(b); });
  return list;
}

std::string ToString(const Platform& platform) {
  return absl::StrCat(platform.os, "/", platform.arch, platform.variant.empty() ? "" : "/",
                      platform.variant);
}

Platform ListForm(const Platform& platform) {
  Platform form = NormalPlatform(platform.os, platform.arch, platform.variant);
  if (form.arch == "arm64" && form.variant.empty()) form.variant = "v8";
  return form;
}

std::string ArchTagSuffix(const Platform& platform) {
  return absl::StrCat(platform.os == "linux" ? "" : absl::StrCat(platform.os, "-"), platform.arch,
                      platform.variant);
}

PlatformMatch Compare(const Platform& wanted, const Platform& found) {
  const Platform a = NormalPlatform(wanted.os, wanted.arch, wanted.variant);
  const Platform b = NormalPlatform(found.os, found.arch, found.variant);
  if (a.os != b.os || a.arch != b.arch) return PlatformMatch::kDifferent;
  return a.variant == b.variant ? PlatformMatch::kExact : PlatformMatch::kVariantDiffers;
}

}  // namespace manyarch
