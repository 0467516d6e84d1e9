// manyarch image inspect|create|append
#include <cstdio>
#include <memory>
#include <variant>

#include "absl/strings/str_cat.h"
#include "cli/commands/command.h"
#include "cli/commands/registry_flags.h"
#include "cli/image/access.h"
#include "cli/image/append.h"
#include "cli/image/assemble.h"
#include "cli/image/copy_progress.h"
#include "cli/image/inspect.h"
#include "common/base/status_macros.h"

namespace manyarch::cli::image {

namespace {

// Somebody is looking at the screen.
constexpr absl::Duration kPatience = absl::Seconds(10);
// A copy of many gigabytes is not given up for a blip.
constexpr absl::Duration kWritePatience = absl::Minutes(3);

struct InspectFlags {
  RegistryFlags registry;
  std::string reference;
  std::string format = "table";
  bool raw = false;
};

struct AssembleFlags {
  RegistryFlags registry;
  std::vector<std::string> tags;
  std::string list;  // append
  std::vector<std::string> sources;
  std::string format;
  bool keep_attestations = false;
  bool immutable = false;
  bool replace = false;  // append
  bool dry_run = false;
};

absl::Status Show(const InspectFlags& flags) {
  if (flags.reference.empty()) {
    return absl::InvalidArgumentError("image inspect: which REFERENCE?");
  }
  MA_ASSIGN_OR_RETURN(const registry::Reference reference,
                      registry::ParseReference(flags.reference));
  MA_ASSIGN_OR_RETURN(const auto access,
                      RegistryAccess::Open(flags.registry, {reference}, kPatience));
  if (flags.raw) {
    MA_ASSIGN_OR_RETURN(const registry::FetchedManifest fetched,
                        access->client().GetManifest(reference));
    Print(fetched.bytes);
    return absl::OkStatus();
  }
  MA_ASSIGN_OR_RETURN(const Inspection inspection, Inspect(access->client(), reference));
  Print(flags.format == "json" ? InspectionJson(inspection) : InspectionText(inspection));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<registry::Reference>> ParseTags(const std::vector<std::string>& texts) {
  std::vector<registry::Reference> tags;
  for (const std::string& text : texts) {
    MA_ASSIGN_OR_RETURN(registry::Reference tag, registry::ParseTagReference(text));
    tags.push_back(std::move(tag));
  }
  return tags;
}

absl::StatusOr<std::vector<Source>> ParseSources(const std::vector<std::string>& texts) {
  std::vector<Source> sources;
  for (const std::string& text : texts) {
    MA_ASSIGN_OR_RETURN(Source source, ParseSource(text));
    sources.push_back(std::move(source));
  }
  return sources;
}

// For the registries that are spoken to.
std::vector<registry::Reference> AllOf(const std::vector<registry::Reference>& tags,
                                       const std::vector<Source>& sources) {
  std::vector<registry::Reference> all = tags;
  for (const Source& source : sources) all.push_back(source.reference);
  return all;
}

absl::Status Finish(registry::RegistryClient& client, const Assembly& assembly,
                    const std::vector<registry::Reference>& tags, const AssembleFlags& flags,
                    std::optional<Digest> expected) {
  for (const std::string& note : assembly.notes) {
    std::fprintf(stderr, "note: %s\n", note.c_str());
  }
  if (flags.dry_run) {
    Print(assembly.list.bytes);
    return absl::OkStatus();
  }
  CopyProgress progress(stderr);
  WriteOptions options;
  options.immutable = flags.immutable;
  options.expected = std::move(expected);
  options.on_progress = [&](const std::string& what, int64_t bytes, int64_t size) {
    progress.Show(what, bytes, size);
  };
  const absl::Status written = Write(client, assembly, tags, options);
  progress.Finish();
  MA_RETURN_IF_ERROR(written);
  for (const registry::Reference& tag : tags) {
    Print(absl::StrCat(tag.ToString(), "@", assembly.list.digest.ToString(), "\n"));
  }
  return absl::OkStatus();
}

absl::Status Create(const AssembleFlags& flags) {
  if (flags.tags.empty()) {
    return absl::InvalidArgumentError("image create: no tag given: name the new list with --tag");
  }
  if (flags.sources.empty()) {
    return absl::InvalidArgumentError("image create: of which SOURCE images?");
  }
  MA_ASSIGN_OR_RETURN(const auto tags, ParseTags(flags.tags));
  MA_ASSIGN_OR_RETURN(const auto sources, ParseSources(flags.sources));
  MA_ASSIGN_OR_RETURN(const auto access,
                      RegistryAccess::Open(flags.registry, AllOf(tags, sources), kWritePatience));
  registry::RegistryClient& client = access->client();
  MA_ASSIGN_OR_RETURN(Gathered gathered, Gather(client, sources, flags.keep_attestations));
  const auto format = flags.format == "oci" ? registry::Format::kOci : registry::Format::kDocker;
  MA_ASSIGN_OR_RETURN(const Assembly assembly, Assemble(std::move(gathered), format));
  return Finish(client, assembly, tags, flags, std::nullopt);
}

absl::Status Append(const AssembleFlags& flags) {
  if (flags.list.empty() || flags.sources.empty()) {
    return absl::InvalidArgumentError(flags.list.empty()
                                          ? "image append: to which LIST?"
                                          : "image append: which SOURCE images are to be added?");
  }
  MA_ASSIGN_OR_RETURN(const registry::Reference list, registry::ParseReference(flags.list));
  MA_ASSIGN_OR_RETURN(auto tags, ParseTags(flags.tags));
  const bool in_place = tags.empty();
  if (in_place && list.digest) {
    return absl::InvalidArgumentError(absl::StrCat(
        "image append: ", flags.list,
        " names a digest, whose list never changes: name the new list's tag with --tag"));
  }
  if (in_place) tags.push_back(list);
  MA_ASSIGN_OR_RETURN(const auto sources, ParseSources(flags.sources));
  std::vector<registry::Reference> references = AllOf(tags, sources);
  references.push_back(list);
  MA_ASSIGN_OR_RETURN(const auto access,
                      RegistryAccess::Open(flags.registry, references, kWritePatience));
  registry::RegistryClient& client = access->client();
  MA_ASSIGN_OR_RETURN(ExistingList existing, ReadList(client, list, flags.keep_attestations));
  MA_ASSIGN_OR_RETURN(Gathered added, Gather(client, sources, flags.keep_attestations));
  registry::Format format = existing.format;
  if (!flags.format.empty()) {
    format = flags.format == "oci" ? registry::Format::kOci : registry::Format::kDocker;
  }
  MA_ASSIGN_OR_RETURN(Gathered merged,
                      Merge(std::move(existing.gathered), std::move(added), flags.replace));
  MA_ASSIGN_OR_RETURN(const Assembly assembly, Assemble(std::move(merged), format));
  return Finish(client, assembly, tags, flags,
                in_place ? std::optional<Digest>(existing.digest) : std::nullopt);
}

void AddAssembleFlags(CLI::App& command, AssembleFlags& flags, const char* format_help) {
  command.add_option("--format", flags.format, format_help)
      ->check(CLI::IsMember({"docker", "oci"}))
      ->type_name("FORMAT");
  command.add_flag("--keep-attestations", flags.keep_attestations,
                   "Keep the attestations of the sources' images (with --format oci)");
  command.add_flag("--immutable", flags.immutable,
                   "Fail where a tag exists and points elsewhere; nothing is written then");
  command.add_flag("--dry-run", flags.dry_run,
                   "Print the exact bytes of the list, and write nothing");
  AddRegistryFlags(command, flags.registry);
}

void AddSources(CLI::App& command, AssembleFlags& flags) {
  command
      .add_option("SOURCE", flags.sources,
                  "[PLATFORM=]REFERENCE of an image or a list. With a platform: of a list the one "
                  "image for it; an image is put into the new list under it")
      ->type_name("");
}

// `action` ends with a status, which is told where it is not OK.
template <typename Flags>
void Run(CLI::App& command, Invocation& invocation, const std::shared_ptr<Flags>& flags,
         absl::Status (*action)(const Flags&)) {
  command.callback([flags, action, &invocation] {
    invocation.run = [flags, action] {
      const absl::Status status = action(*flags);
      return status.ok() ? 0 : Fail(status);
    };
  });
}

void AddInspect(CLI::App& image, Invocation& invocation) {
  CLI::App* command = NewLocalCommand(image, invocation, "inspect",
                                      "Show the list or the image that a reference names");
  const auto flags = std::make_shared<InspectFlags>();
  command
      ->add_option("REFERENCE", flags->reference,
                   "Its name, with a tag (default: latest) or a digest")
      ->type_name("");
  AddFormat(*command, flags->format);
  command->add_flag("--raw", flags->raw, "Print the manifest's bytes and nothing else");
  AddRegistryFlags(*command, flags->registry);
  Run(*command, invocation, flags, Show);
}

void AddCreate(CLI::App& image, Invocation& invocation) {
  CLI::App* command = NewLocalCommand(image, invocation, "create",
                                      "Make a list of images that are in registries already");
  const auto flags = std::make_shared<AssembleFlags>();
  AddSources(*command, *flags);
  command->add_option("-t,--tag", flags->tags, "Tag to write, with its registry (repeatable)")
      ->type_name("REGISTRY/NAME:TAG")
      ->allow_extra_args(false);
  AddAssembleFlags(*command, *flags, "Of the list and its images: docker (default) or oci");
  Run(*command, invocation, flags, Create);
}

void AddAppend(CLI::App& image, Invocation& invocation) {
  CLI::App* command =
      NewLocalCommand(image, invocation, "append", "Add images to a list that is in a registry");
  const auto flags = std::make_shared<AssembleFlags>();
  command->add_option("LIST", flags->list, "The list to add to, and the tag to write")
      ->type_name("");
  AddSources(*command, *flags);
  command
      ->add_option("-t,--tag", flags->tags, "Write the new list to this tag instead (repeatable)")
      ->type_name("REGISTRY/NAME:TAG")
      ->allow_extra_args(false);
  command->add_flag("--replace", flags->replace,
                    "Put images in the place of those that the list has for their platforms");
  AddAssembleFlags(*command, *flags, "Of the new list: docker or oci (default: as the list is)");
  Run(*command, invocation, flags, Append);
}

}  // namespace
}  // namespace manyarch::cli::image

namespace manyarch::cli {

void AddImage(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewLocalCommand(app, invocation, "image",
                                      "Look at lists and images in registries, and assemble them");
  command->require_subcommand(1);
  image::AddInspect(*command, invocation);
  image::AddCreate(*command, invocation);
  image::AddAppend(*command, invocation);
}

}  // namespace manyarch::cli
