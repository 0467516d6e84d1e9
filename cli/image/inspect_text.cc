#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/image/inspect.h"
#include "cli/render/table.h"
#include "cli/render/words.h"
#include "nlohmann/json.hpp"

namespace manyarch::cli::image {

namespace {

using nlohmann::ordered_json;

std::string PlatformOf(const registry::Descriptor& entry) {
  if (!entry.platform) return "-";
  std::string text = ToString(ListForm(*entry.platform));
  if (!entry.os_version.empty()) absl::StrAppend(&text, " ", entry.os_version);
  return SafeLine(text);
}

// The platform of the image that an attestation is about, or that image's digest.
std::string AttestedText(const Inspection& inspection, const InspectedEntry& attestation) {
  if (!attestation.about) return "an image of this list";
  for (const InspectedEntry& entry : inspection.entries) {
    if (entry.descriptor.digest == *attestation.about) return PlatformOf(entry.descriptor);
  }
  return attestation.about->ToString();
}

// {"a", "b c"} as ["a", "b c"]: what is one argument can be seen.
std::string Quoted(const std::vector<std::string>& words) {
  return ordered_json(words).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string ListText(const Inspection& inspection) {
  std::vector<std::vector<std::string>> rows = {
      {"PLATFORM", "DIGEST", "MANIFEST", "IMAGE", "MEDIA TYPE"}};
  std::string problems;
  for (const InspectedEntry& entry : inspection.entries) {
    const bool sound = entry.problem.ok();
    rows.push_back(
        {entry.attestation ? absl::StrCat("attestation of ", AttestedText(inspection, entry))
                           : PlatformOf(entry.descriptor),
         entry.descriptor.digest.ToString(), SizeText(entry.descriptor.size),
         sound ? SizeText(entry.image_size) : "?", SafeLine(entry.descriptor.media_type)});
    if (!sound) absl::StrAppend(&problems, "problem: ", SafeLine(entry.problem.message()), "\n");
  }
  return AlignedTable(rows) + problems;
}

std::string ImageText(const Inspection& inspection, const registry::ImageManifest& image) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty() && value != "[]") rows.push_back({name, SafeLine(value)});
  };
  if (inspection.details) {
    const registry::ImageDetails& details = *inspection.details;
    add("platform", details.spelled);
    add("created", details.created);
    add("author", details.author);
    add("user", details.user);
    add("working dir", details.working_dir);
    add("entrypoint", Quoted(details.entrypoint));
    add("command", Quoted(details.cmd));
    for (const std::string& variable : details.env) add("env", variable);
    add("ports", absl::StrJoin(details.exposed_ports, ", "));
    add("volumes", absl::StrJoin(details.volumes, ", "));
    for (const auto& [name, value] : details.labels) add("label", absl::StrCat(name, "=", value));
    add("stop signal", details.stop_signal);
  }
  add("config", absl::StrCat(image.config.digest.ToString(), "  ", SizeText(image.config.size)));
  for (const registry::Descriptor& layer : image.layers) {
    add("layer",
        absl::StrCat(layer.digest.ToString(), "  ", SizeText(layer.size), "  ", layer.media_type));
  }
  add("total", SizeText(StoredSize(image)));
  return AlignedTable(rows);
}

ordered_json DescriptorJson(const registry::Descriptor& descriptor) {
  return {{"digest", descriptor.digest.ToString()},
          {"media_type", descriptor.media_type},
          {"size", descriptor.size}};
}

ordered_json EntryJson(const InspectedEntry& entry) {
  const registry::Descriptor& descriptor = entry.descriptor;
  ordered_json json;
  json["platform"] = nullptr;
  if (descriptor.platform) json["platform"] = ToString(ListForm(*descriptor.platform));
  if (!descriptor.os_version.empty()) json["os_version"] = descriptor.os_version;
  json.update(DescriptorJson(descriptor));
  json["image_size"] = nullptr;
  if (entry.problem.ok()) json["image_size"] = entry.image_size;
  json["attestation"] = entry.attestation;
  if (entry.about) json["attests"] = entry.about->ToString();
  if (!descriptor.artifact_type.empty()) json["artifact_type"] = descriptor.artifact_type;
  if (!descriptor.annotations.empty()) json["annotations"] = descriptor.annotations;
  if (!entry.problem.ok()) json["problem"] = std::string(entry.problem.message());
  return json;
}

ordered_json ImageJson(const Inspection& inspection, const registry::ImageManifest& image) {
  ordered_json json;
  if (inspection.details) {
    const registry::ImageDetails& details = *inspection.details;
    json["platform"] = details.spelled;
    json["created"] = details.created;
    json["author"] = details.author;
    json["user"] = details.user;
    json["working_dir"] = details.working_dir;
    json["entrypoint"] = details.entrypoint;
    json["cmd"] = details.cmd;
    json["env"] = details.env;
    json["exposed_ports"] = details.exposed_ports;
    json["volumes"] = details.volumes;
    json["labels"] = ordered_json::object();
    for (const auto& [name, value] : details.labels) json["labels"][name] = value;
    json["stop_signal"] = details.stop_signal;
  }
  json["config"] = DescriptorJson(image.config);
  json["layers"] = ordered_json::array();
  for (const registry::Descriptor& layer : image.layers) {
    json["layers"].push_back(DescriptorJson(layer));
  }
  json["image_size"] = StoredSize(image);
  return json;
}

}  // namespace

std::string SizeText(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  for (const char* unit : {"KiB", "MiB", "GiB"}) {
    value /= 1024;
    if (value < 1023.95) return absl::StrFormat("%.1f %s", value, unit);
  }
  return absl::StrFormat("%.1f TiB", value / 1024);
}

std::string InspectionText(const Inspection& inspection) {
  std::string text =
      AlignedTable({{"name", inspection.reference.ToString()},
                    {"digest", inspection.fetched.digest.ToString()},
                    {"media type", inspection.fetched.media_type},
                    {"size", SizeText(static_cast<int64_t>(inspection.fetched.bytes.size()))}});
  text += "\n";
  const auto* image = std::get_if<registry::ImageManifest>(&inspection.fetched.manifest);
  return text + (image == nullptr ? ListText(inspection) : ImageText(inspection, *image));
}

std::string InspectionJson(const Inspection& inspection) {
  const auto* image = std::get_if<registry::ImageManifest>(&inspection.fetched.manifest);
  ordered_json json;
  json["reference"] = inspection.reference.ToString();
  json["kind"] = image == nullptr ? "list" : "image";
  json["digest"] = inspection.fetched.digest.ToString();
  json["media_type"] = inspection.fetched.media_type;
  json["size"] = inspection.fetched.bytes.size();
  if (image != nullptr) {
    json["image"] = ImageJson(inspection, *image);
  } else {
    json["manifests"] = ordered_json::array();
    for (const InspectedEntry& entry : inspection.entries) {
      json["manifests"].push_back(EntryJson(entry));
    }
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace manyarch::cli::image
