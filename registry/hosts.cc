#include "registry/hosts.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "registry/certificates.h"
#include "registry/json.h"
#include "registry/reference.h"

namespace manyarch::registry {

namespace {
using nlohmann::json;

constexpr double kMaxRate = 100'000;

// One host's object in the file, with the words for what is wrong in it.
class Entry {
 public:
  Entry(const json& object, std::string what, const std::string& directory)
      : object_(object), what_(std::move(what)), directory_(directory) {}

  absl::StatusOr<HostSettings> Read() const {
    HostSettings out;
    TlsSettings tls;
    MA_RETURN_IF_ERROR(CheckKeys(object_, what_,
                                 {"plain_http", "ca", "client_cert", "client_key", "mirrors",
                                  "concurrency", "requests_per_second"}));
    MA_ASSIGN_OR_RETURN(out.plain_http, Flag(object_, what_, "plain_http"));
    MA_ASSIGN_OR_RETURN(tls.ca_pem, Authorities());
    MA_ASSIGN_OR_RETURN(tls.client_cert_pem, File("client_cert"));
    MA_ASSIGN_OR_RETURN(tls.client_key_pem, File("client_key"));
    if (tls.client_cert_pem.empty() != tls.client_key_pem.empty()) {
      return Error(tls.client_key_pem.empty() ? "client_key" : "client_cert",
                   "is missing: a client certificate and its key come together");
    }
    if (!tls.client_cert_pem.empty()) {
      const absl::Status fits = CheckKeyPair(tls.client_cert_pem, tls.client_key_pem);
      if (!fits.ok()) return Error("client_cert", fits.message());
    }
    const bool speaks_tls = !tls.ca_pem.empty() || !tls.client_cert_pem.empty();
    if (out.plain_http && speaks_tls) {
      return Error("plain_http", "is true, and certificates are given: leave out one of them");
    }
    if (speaks_tls) out.tls = std::make_shared<const TlsSettings>(std::move(tls));
    MA_ASSIGN_OR_RETURN(out.mirrors, Mirrors());
    MA_ASSIGN_OR_RETURN(const double concurrency, Number("concurrency", 1, 1000));
    out.concurrency = static_cast<int>(concurrency);
    MA_ASSIGN_OR_RETURN(out.requests_per_second, Number("requests_per_second", 0.01, kMaxRate));
    return out;
  }

 private:
  absl::Status Error(absl::string_view key, absl::string_view problem) const {
    return absl::InvalidArgumentError(absl::StrCat(what_, ": \"", key, "\" ", problem));
  }

  static absl::Status CheckKeys(const json& object, const std::string& what,
                                std::vector<std::string> known) {
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      std::string all;
      for (const std::string& name : known) {
        absl::StrAppend(&all, all.empty() ? "" : ", ", "\"", name, "\"");
      }
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": there is no setting \"", key, "\"; there are ", all));
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<bool> Flag(const json& object, const std::string& what, const char* key) {
    const auto member = object.find(key);
    if (member == object.end()) return false;
    if (member->is_boolean()) return member->get<bool>();
    return absl::InvalidArgumentError(absl::StrCat(what, ": \"", key, "\" must be true or false"));
  }

  absl::StatusOr<double> Number(const char* key, double least, double most) const {
    const auto member = object_.find(key);
    if (member == object_.end()) return 0;
    const bool whole = least < 1 || member->is_number_integer();
    if (!member->is_number() || !whole || member->get<double>() < least ||
        member->get<double>() > most) {
      return Error(key, absl::StrCat("must be a ", least < 1 ? "" : "whole ", "number from ", least,
                                     " to ", most));
    }
    return member->get<double>();
  }

  absl::StatusOr<std::string> ReadPath(const char* key, const json& value) const {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      return Error(key, "must be the path of a PEM file");
    }
    std::string path = value.get<std::string>();
    if (path[0] != '/') path = absl::StrCat(directory_, "/", path);
    absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) return Error(key, text.status().message());
    if (!absl::StrContains(*text, "-----BEGIN ")) {
      return Error(key, absl::StrCat("names ", path,
                                     ", which is no PEM file: it has no line "
                                     "-----BEGIN …"));
    }
    if (!absl::EndsWith(*text, "\n")) text->push_back('\n');
    return text;
  }

  absl::StatusOr<std::string> File(const char* key) const {
    const auto member = object_.find(key);
    if (member == object_.end()) return "";
    return ReadPath(key, *member);
  }

  // One path, or several.
  absl::StatusOr<std::string> Authorities() const {
    const auto member = object_.find("ca");
    if (member == object_.end()) return "";
    std::string all;
    const json list = member->is_array() ? *member : json::array({*member});
    for (const json& path : list) {
      MA_ASSIGN_OR_RETURN(const std::string pem, ReadPath("ca", path));
      const absl::Status good = CheckCertificates(pem);
      if (!good.ok()) return Error("ca", good.message());
      all += pem;
    }
    return all;
  }

  absl::StatusOr<std::vector<Mirror>> Mirrors() const {
    std::vector<Mirror> out;
    const auto member = object_.find("mirrors");
    if (member == object_.end()) return out;
    if (!member->is_array()) return Error("mirrors", "must be a list");
    for (const json& item : *member) {
      const std::string what = absl::StrCat(what_, ": \"mirrors\"");
      if (!item.is_object()) return Error("mirrors", "must be a list of objects");
      MA_RETURN_IF_ERROR(CheckKeys(item, what, {"location", "plain_http"}));
      Mirror mirror;
      MA_ASSIGN_OR_RETURN(mirror.location, RequiredString(item, "location", what));
      MA_ASSIGN_OR_RETURN(mirror.plain_http, Flag(item, what, "plain_http"));
      // A location may be a host alone.
      const bool has_path = absl::StrContains(mirror.location, '/');
      const auto parsed =
          ParseRepository(has_path ? mirror.location : absl::StrCat(mirror.location, "/x"));
      if (!parsed.ok() || !absl::StartsWith(mirror.location, parsed->registry)) {
        return Error("mirrors", absl::StrCat("has the location '", mirror.location,
                                             "': want host[:port] or host[:port]/path"));
      }
      out.push_back(std::move(mirror));
    }
    return out;
  }

  const json& object_;
  const std::string what_;
  const std::string& directory_;
};

// As references name it.
std::string NormalHost(absl::string_view host) {
  std::string out = absl::AsciiStrToLower(host);
  for (const char* hub : {"index.docker.io", "registry-1.docker.io", "registry-1.docker.io:443"}) {
    if (out == hub) return "docker.io";
  }
  return out;
}

}  // namespace

double DefaultRate(absl::string_view registry) {
  const std::string host = HostWithoutPort(NormalHost(registry));
  // Ten PutImage a second; other calls have more.
  if (absl::StrContains(host, ".dkr.ecr") && absl::StrContains(host, ".amazonaws.com")) return 10;
  if (host == "public.ecr.aws") return 10;
  if (host == "quay.io") return 20;
  return 0;
}

Hosts Hosts::PlainHttp(const std::vector<std::string>& hosts) {
  Hosts out;
  for (const std::string& host : hosts) out.hosts_[NormalHost(host)].plain_http = true;
  return out;
}

absl::Status Hosts::AllowPlainHttp(absl::string_view host) {
  const HostSettings* const known = Find(host);
  HostSettings settings = known == nullptr ? HostSettings() : *known;
  if (settings.tls != nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        host,
        " is to be spoken to over plain HTTP, but the registries file has certificates for "
        "it: leave out one of them, or give the port that has no TLS an entry of its own there"));
  }
  settings.plain_http = true;
  hosts_[NormalHost(host)] = std::move(settings);
  return absl::OkStatus();
}

absl::StatusOr<Hosts> Hosts::Read(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return Annotate(text.status(), "reading the registries file");
  const size_t slash = path.rfind('/');
  return Parse(*text, absl::StrCat("the registries file ", path),
               slash == std::string::npos ? "." : path.substr(0, slash));
}

absl::StatusOr<Hosts> Hosts::Parse(absl::string_view text, absl::string_view what,
                                   const std::string& directory) {
  MA_ASSIGN_OR_RETURN(const json body, ParseObject(text, what));
  Hosts out;
  for (const auto& [key, value] : body.items()) {
    if (key != "registries") {
      return absl::InvalidArgumentError(absl::StrCat(
          what, ": there is no \"", key, "\"; write {\"registries\": {\"HOST\": {…}}}"));
    }
    if (!value.is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(what, ": \"registries\" is not an object"));
    }
    for (const auto& [host, settings] : value.items()) {
      const auto parsed = ParseRepository(absl::StrCat(host, "/x"));
      const std::string entry = absl::StrCat(what, ", registry \"", host, "\"");
      if (!parsed.ok() || parsed->registry != NormalHost(host)) {
        return absl::InvalidArgumentError(absl::StrCat(
            entry, ": want a host name as in a tag, such as registry.example.com:5000"));
      }
      if (!settings.is_object()) {
        return absl::InvalidArgumentError(absl::StrCat(entry, ": its settings are not an object"));
      }
      if (out.hosts_.contains(parsed->registry)) {
        return absl::InvalidArgumentError(absl::StrCat(entry, ": it is there twice"));
      }
      MA_ASSIGN_OR_RETURN(out.hosts_[parsed->registry], Entry(settings, entry, directory).Read());
    }
  }
  return out;
}

const HostSettings* Hosts::Find(absl::string_view registry) const {
  const std::string whole = NormalHost(registry);
  std::vector<std::string> names = {whole};
  for (const absl::string_view port : {":443", ":80"}) {
    if (absl::EndsWith(whole, port)) names.push_back(whole.substr(0, whole.size() - port.size()));
  }
  const std::string host = HostWithoutPort(whole);
  names.push_back(host);
  names.push_back(absl::StrCat("[", host, "]"));
  for (const std::string& name : names) {
    if (const auto found = hosts_.find(name); found != hosts_.end()) return &found->second;
  }
  // Spelled with the port that is meant anyway.
  for (const auto& [port, plain] : {std::pair(":443", false), std::pair(":80", true)}) {
    const auto found = hosts_.find(whole + port);
    if (found != hosts_.end() && found->second.plain_http == plain) return &found->second;
  }
  return nullptr;
}

bool Hosts::AllowsPlainHttp(absl::string_view registry) const {
  const HostSettings* const settings = Find(registry);
  return settings != nullptr && settings->plain_http;
}

std::string Hosts::BaseUrl(absl::string_view registry) const {
  return absl::StrCat(AllowsPlainHttp(registry) ? "http://" : "https://", ApiHost(registry));
}

std::shared_ptr<const TlsSettings> Hosts::TlsFor(absl::string_view host,
                                                 absl::string_view registry) const {
  const HostSettings* const settings = Find(host);
  if (settings == nullptr || settings->tls == nullptr) return nullptr;
  if (settings == Find(registry) || settings->tls->client_cert_pem.empty()) return settings->tls;
  return std::make_shared<const TlsSettings>(TlsSettings{settings->tls->ca_pem, "", ""});
}

}  // namespace manyarch::registry
