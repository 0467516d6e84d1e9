#include "registry/reference.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace manyarch::registry {

namespace {

constexpr size_t kMaxName = 255;
constexpr size_t kMaxTag = 128;

bool IsLower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }

// Turns problems into errors that quote the whole reference and the place.
class Complaint {
 public:
  explicit Complaint(absl::string_view text) : text_(text) {}

  absl::Status operator()(absl::string_view problem) const {
    return absl::InvalidArgumentError(
        absl::StrCat("reference '", absl::CHexEscape(text_.substr(0, 300)), "': ", problem));
  }
  // `piece` is part of the text; `offset` is inside the piece.
  absl::Status At(absl::string_view piece, size_t offset, absl::string_view problem) const {
    const size_t position = static_cast<size_t>(piece.data() - text_.data()) + offset;
    const std::string what = position < text_.size()
                                 ? absl::StrCat("'", absl::CHexEscape(text_.substr(position, 1)),
                                                "' at position ", position + 1)
                                 : "at its end";
    return (*this)(absl::StrCat(problem, " (", what, ")"));
  }

 private:
  absl::string_view text_;
};

absl::Status CheckPort(const Complaint& complain, absl::string_view port) {
  uint32_t number = 0;
  const bool digits = std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(port, &number) || number == 0 || number > 65535) {
    return complain.At(port, 0, "the registry's port must be a number from 1 to 65535");
  }
  return absl::OkStatus();
}

absl::Status CheckHost(const Complaint& complain, absl::string_view registry) {
  if (registry[0] == '[') {
    const size_t end = registry.find(']');
    in6_addr address{};
    if (end == absl::string_view::npos ||
        inet_pton(AF_INET6, std::string(registry.substr(1, end - 1)).c_str(), &address) != 1) {
      return complain.At(registry, 0, "the registry is not an IPv6 address in brackets");
    }
    const absl::string_view rest = registry.substr(end + 1);
    if (rest.empty()) return absl::OkStatus();
    if (rest[0] != ':') return complain.At(rest, 0, "want ':' and a port after the address");
    return CheckPort(complain, rest.substr(1));
  }
  const size_t colon = registry.find(':');
  const absl::string_view host = registry.substr(0, colon);
  if (host.empty()) return complain.At(registry, 0, "the registry's host name is missing");
  for (size_t i = 0; i < host.size(); ++i) {
    const bool edge = i == 0 || i + 1 == host.size() || host[i - 1] == '.' || host[i + 1] == '.';
    const bool good = IsAlnum(host[i]) || (host[i] == '-' && !edge) ||
                      (host[i] == '.' && i > 0 && i + 1 < host.size() && host[i - 1] != '.');
    if (!good) {
      return complain.At(host, i,
                         "the registry's host name may have letters, digits, and inside '-' and "
                         "'.' only");
    }
  }
  if (colon == absl::string_view::npos) return absl::OkStatus();
  return CheckPort(complain, registry.substr(colon + 1));
}

absl::Status CheckPath(const Complaint& complain, absl::string_view path) {
  if (path.empty()) return complain.At(path, 0, "the repository is missing");
  const auto upper = std::find_if(path.begin(), path.end(), absl::ascii_isupper);
  if (upper != path.end()) {
    return complain.At(path, static_cast<size_t>(upper - path.begin()),
                       absl::StrCat("the repository may not have upper-case letters: write '",
                                    absl::CHexEscape(absl::AsciiStrToLower(path)), "'"));
  }
  for (size_t i = 0; i < path.size(); ++i) {
    if (IsLower(path[i])) continue;
    if (!absl::StrContains("._-/", path.substr(i, 1))) {
      return complain.At(path, i,
                         "the repository may have lower-case letters, digits, '.', '_', '-' and "
                         "'/' only");
    }
    // A separator: one '.', one or two '_', any number of '-', or one '/'; never at an end.
    size_t end = i;
    while (end < path.size() && path[end] == path[i]) ++end;
    const size_t most = path[i] == '_' ? 2 : path[i] == '-' ? path.size() : 1;
    if (i == 0 || end == path.size() || end - i > most || !IsLower(path[end])) {
      const size_t where =
          end - i > most ? i + most : (end == path.size() ? i : (i == 0 ? i : end));
      return complain.At(path, where,
                         "each part of the repository must begin and end with a lower-case letter "
                         "or digit, and between them stands one '.', one or two '_', or '-'");
    }
    i = end - 1;
  }
  return absl::OkStatus();
}

absl::Status CheckTag(const Complaint& complain, absl::string_view tag) {
  if (tag.empty()) return complain.At(tag, 0, "the tag after ':' is empty");
  for (size_t i = 0; i < tag.size(); ++i) {
    if (IsAlnum(tag[i]) || tag[i] == '_' || (i > 0 && (tag[i] == '.' || tag[i] == '-'))) continue;
    return complain.At(tag, i,
                       "a tag may have letters, digits, '_', '.' and '-' only, and may not begin "
                       "with '.' or '-'");
  }
  if (tag.size() > kMaxTag) {
    return complain(
        absl::StrCat("the tag has ", tag.size(), " characters: at most ", kMaxTag, " are allowed"));
  }
  return absl::OkStatus();
}

// Whether the part before the first '/' names a registry, as docker decides it.
bool NamesRegistry(absl::string_view first) {
  return absl::StrContains(first, '.') || absl::StrContains(first, ':') || first == "localhost" ||
         std::any_of(first.begin(), first.end(), absl::ascii_isupper);
}

// Without the default tag.
absl::StatusOr<Reference> Parse(absl::string_view text) {
  const Complaint complain(text);
  if (text.empty()) {
    return absl::InvalidArgumentError(
        "the reference is empty: write registry/repository:tag, e.g. quay.io/team/app:1.0");
  }
  if (const size_t scheme = text.find("://"); scheme != absl::string_view::npos) {
    return complain.At(text, scheme,
                       absl::StrCat("a reference has no scheme: write it without '",
                                    absl::CHexEscape(text.substr(0, scheme + 3)), "'"));
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(text[i]))) {
      return complain.At(text, i,
                         "blanks, control characters and non-ASCII letters may not stand "
                         "in a reference");
    }
  }

  Reference reference;
  absl::string_view name = text;
  if (const size_t at = text.find('@'); at != absl::string_view::npos) {
    const auto digest = Digest::Parse(text.substr(at + 1));
    if (!digest.ok()) return complain.At(text, at + 1, digest.status().message());
    reference.digest = *digest;
    name = text.substr(0, at);
  }
  const size_t slash = name.rfind('/');
  const size_t colon = name.find(':', slash == absl::string_view::npos ? 0 : slash);
  if (colon != absl::string_view::npos) {
    const absl::string_view tag = name.substr(colon + 1);
    MA_RETURN_IF_ERROR(CheckTag(complain, tag));
    reference.tag = std::string(tag);
    name = name.substr(0, colon);
  }

  absl::string_view path = name;
  const size_t first_slash = name.find('/');
  const absl::string_view first = name.substr(0, first_slash);
  if (first_slash == 0) return complain.At(name, 0, "the registry's host name is missing");
  if (first_slash != absl::string_view::npos && NamesRegistry(first)) {
    MA_RETURN_IF_ERROR(CheckHost(complain, first));
    reference.registry = absl::AsciiStrToLower(first);
    if (!NamesRegistry(reference.registry)) {
      // In lower case it would be the beginning of a repository of the Docker Hub.
      return complain.At(name, 0,
                         absl::StrCat("the repository may not have upper-case letters: write '",
                                      absl::AsciiStrToLower(name),
                                      "' (a registry would have a '.' or a port in its name)"));
    }
    path = name.substr(first_slash + 1);
  } else {
    reference.registry = "docker.io";
  }
  MA_RETURN_IF_ERROR(CheckPath(complain, path));
  reference.repository = std::string(path);
  if (reference.registry == "index.docker.io" || reference.registry == "registry-1.docker.io") {
    reference.registry = "docker.io";
  }
  if (reference.registry == "docker.io" && !absl::StrContains(path, '/')) {
    reference.repository = absl::StrCat("library/", path);
  }
  if (const size_t size = reference.Repository().size(); size > kMaxName) {
    return complain(absl::StrCat("registry and repository together have ", size,
                                 " characters: at most ", kMaxName, " are allowed"));
  }
  return reference;
}

}  // namespace

std::string Reference::ToString() const {
  return absl::StrCat(Repository(), tag.empty() ? "" : ":", tag, digest ? "@" : "",
                      digest ? digest->ToString() : "");
}

Reference Reference::WithTag(absl::string_view new_tag) const {
  return {registry, repository, std::string(new_tag), std::nullopt};
}

Reference Reference::WithDigest(const Digest& new_digest) const {
  return {registry, repository, "", new_digest};
}

absl::StatusOr<Reference> ParseReference(absl::string_view text) {
  MA_ASSIGN_OR_RETURN(Reference reference, Parse(text));
  if (reference.tag.empty() && !reference.digest) reference.tag = "latest";
  return reference;
}

absl::StatusOr<Reference> ParseTagReference(absl::string_view text) {
  MA_ASSIGN_OR_RETURN(Reference reference, ParseReference(text));
  if (reference.digest) {
    return Complaint(text).At(text, text.find('@'),
                              "a tag to be written may not carry a digest: write "
                              "registry/repository:tag");
  }
  return reference;
}

absl::StatusOr<Reference> ParseRepository(absl::string_view text) {
  MA_ASSIGN_OR_RETURN(Reference reference, Parse(text));
  if (reference.digest || !reference.tag.empty()) {
    return Complaint(text)("want a repository alone, without a tag or digest");
  }
  return reference;
}

bool IsTag(absl::string_view tag) { return CheckTag(Complaint(tag), tag).ok(); }

std::string ApiHost(absl::string_view registry) {
  return registry == "docker.io" ? "registry-1.docker.io" : std::string(registry);
}

std::string HostWithoutPort(absl::string_view registry) {
  if (absl::StartsWith(registry, "[")) {
    return std::string(registry.substr(1, registry.find(']') - 1));
  }
  return std::string(registry.substr(0, registry.find(':')));
}

bool IsLoopback(absl::string_view registry) {
  const std::string host = absl::AsciiStrToLower(HostWithoutPort(registry));
  if (host == "localhost" || absl::EndsWith(host, ".localhost")) return true;
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
  }
  // Also the short forms that resolvers take, such as 127.1.
  return absl::StartsWith(host, "127.") && std::all_of(host.begin(), host.end(), [](char c) {
           return c == '.' || absl::ascii_isdigit(static_cast<unsigned char>(c));
         });
}

}  // namespace manyarch::registry
