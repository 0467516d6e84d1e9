#include "cli/commands/build_flags.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/commands/command.h"

namespace manyarch::cli {

namespace {

struct RefusedFlag {
  const char* names;
  bool takes_value;
  const char* why;        // What follows "--flag ".
  const char* done = "";  // "--flag=" with this value asks for what is done anyway: it is taken.
};

constexpr char kNotYet[] = "is not supported yet";
constexpr char kGzip[] =
    "is not supported: layers are gzip, the only kind that Docker v2s2 images can have";
constexpr char kWorkers[] = "is the worker's to know: see `manyarch-worker --help`";
constexpr char kAlwaysPushed[] =
    "is not for manyarch: images go to the registry that the tag names, to no other place";

// What users of buildx, podman and buildah may write. Each is refused in words: a flag that is
// taken and not heeded would give another image than the one asked for.
constexpr RefusedFlag kRefused[] = {
    {"--squash-all", false, "is not supported: --squash makes one layer of all new ones"},
    {"--source-date-epoch", true, "is not supported: use --timestamp"},
    {"--creds", true, "is not supported: others see what stands in arguments; use --authfile"},
    {"--provenance", false, "is not supported: lists hold images only, which every registry takes",
     "false"},
    {"--sbom", false, "is not supported: lists hold images only, which every registry takes",
     "false"},
    {"--attest", true, "is not supported: lists hold images only, which every registry takes"},
    {"--load", false, kAlwaysPushed, "false"},
    {"--push", false, "is not for manyarch: it always pushes", "true"},
    {"-o,--output", true, kAlwaysPushed},
    {"--builder", true, "is not for manyarch: the farm is chosen with --farm or --controller"},
    {"--manifest", true, "is not for manyarch: name the manifest list with --tag"},
    {"--ignorefile", true, kNotYet},
    {"--no-cache-filter", true, "is not supported: --no-cache is for all stages"},
    {"--allow", true, kNotYet},
    {"--cgroup-parent", true, kWorkers},
    {"--isolation", true, kWorkers},
    {"--runtime", true, kWorkers},
    {"--jobs", true, "is not needed: platforms are built at the same time, on as many as can"},
    {"--layers", false, "is always on: --no-cache runs all steps again", "true"},
    {"--rm", false, "is always on: a build leaves no containers behind", "true"},
    {"--force-rm", false, "is always on: a build leaves no containers behind", "true"},
    {"--cleanup", false, "is always on: workers keep their images within a limit", "true"},
    {"--local", false, "is not for manyarch: builds run on the farm's workers", "false"},
    {"--compress", false, "is always on: contexts are compressed", "true"},
    {"--compression", true, kGzip},
    {"--compression-format", true, kGzip},
    {"--call", true, kNotYet},
    {"--check", false, kNotYet},
    {"--shm-size", true, kNotYet},
    {"--ulimit", true, kNotYet},
    {"--cap-add", true, kNotYet},
    {"--cap-drop", true, kNotYet},
    {"--device", true, kNotYet},
    {"--security-opt", true, kNotYet},
    {"-v,--volume", true, kNotYet},
    {"--env", true, kNotYet},
    {"--tls-verify", true,
     "is the controller's to know: start it with --plain-http HOST:PORT for a registry without "
     "TLS"},
};

}  // namespace

void AddBuildFlags(CLI::App& command, BuildFlags& flags) {
  const auto text = [&](const std::string& names, std::string& value, const std::string& help,
                        const std::string& type) {
    return command.add_option(names, value, help)->type_name(type);
  };
  const auto list = [&](const std::string& names, std::vector<std::string>& values,
                        const std::string& help, const std::string& type) {
    return command.add_option(names, values, help)->type_name(type)->allow_extra_args(false);
  };
  text("CONTEXT", flags.context,
       "The directory with the files to build, a git URL (…#REF:DIRECTORY), or - for an archive on "
       "standard input",
       "");
  text("-f,--file", flags.file,
       "The Containerfile, also outside of the context; - for standard input (default: "
       "Containerfile, then Dockerfile)",
       "PATH");
  list("--build-context", flags.build_contexts,
       "A further context for FROM and COPY --from (repeatable): a directory, a git URL, or "
       "docker-image://REFERENCE",
       "NAME=SOURCE");
  list("-t,--tag", flags.tags, "Tag to write, with its registry (repeatable)", "REGISTRY/NAME:TAG");
  list("--platform,--platforms", flags.platforms,
       "Platforms to build for (comma list, repeatable; default: this machine's)", "OS/ARCH,…");
  list("--optional", flags.optional,
       "Platforms that the list may go without when they fail; as OS/ARCH? in --platform",
       "OS/ARCH,…");
  command.add_flag("--keep-going", flags.keep_going,
                   "Build the other platforms to the end when one has failed");
  list("--build-arg", flags.build_args,
       "Value for an ARG (repeatable; without a value: from the environment)", "NAME[=VALUE]");
  text("--target", flags.target, "Stop at this stage of the Containerfile", "STAGE");
  list("--label", flags.labels, "Label of the images (repeatable)", "NAME=VALUE");
  list("--annotation", flags.annotations,
       "Annotation of the images, with --format oci (repeatable)", "NAME=VALUE");
  list("--secret", flags.secrets,
       "For RUN --mount=type=secret (repeatable): id=ID, then src=FILE or env=NAME", "FIELDS");
  list("--ssh", flags.ssh, "A private key for RUN --mount=type=ssh (repeatable)", "ID=FILE");
  text("--authfile", flags.authfile,
       "Registry credentials for this job alone, in the place of the controller's", "FILE");
  command.add_flag("--no-cache", flags.no_cache, "Build every step anew");
  // podman and buildah have policies; what is done without the flag is their "newer".
  const auto policy = std::make_shared<std::string>();  // For as long as its option lives.
  command
      .add_flag("--pull", *policy,
                "Pull base images anew (default: those that are newer in their registry)")
      ->each([&flags, policy](const std::string& given) {
        flags.pull = given == "true" || given == "always";
        if (!flags.pull && given != "false" && given != "newer" && given != "ifnewer") {
          flags.refused.push_back(
              absl::StrCat("--pull=", given,
                           " is not supported: workers must not differ in how old their base "
                           "images are; leave it out, or write --pull"));
        }
      });
  list("--cache-from", flags.cache_from,
       "Look for layers in this repository, each platform in its own (repeatable)", "REPOSITORY");
  list("--cache-to", flags.cache_to, "Push layers to this repository (repeatable)", "REPOSITORY");
  command.add_flag("--squash", flags.squash, "Make one layer of all new ones");
  text("--timestamp", flags.timestamp,
       "Time of the images and their new files (default: SOURCE_DATE_EPOCH, else the real one)",
       "SECONDS");
  text("--network", flags.network, "What RUN steps reach: default, host or none", "NETWORK");
  list("--add-host", flags.add_hosts, "A line for /etc/hosts (repeatable)", "NAME:ADDRESS");
  text("-m,--memory", flags.memory, "Memory for each RUN step, e.g. 512m or 2g", "SIZE");
  text("--cpus", flags.cpus, "Processors for each RUN step", "NUMBER");
  text("--emulation", flags.emulation,
       "never, fallback (where no native worker is) or allow (whenever that is sooner)", "POLICY")
      ->check(CLI::IsMember({"never", "fallback", "allow"}));
  command.add_flag("--hedge", flags.hedge,
                   "Start emulated while a native worker is far off, and natively as well; the "
                   "first image wins");
  list("--constraint", flags.constraints, "Label that a worker must have (repeatable)",
       "NAME=VALUE");
  text("--timeout", flags.timeout, "For one attempt at one platform (default 6h)", "DURATION");
  command
      .add_option("--max-attempts", flags.max_attempts, "Attempts for each platform (default 3)")
      ->check(CLI::Range(1, 10))
      ->type_name("N");
  text("--unschedulable-after", flags.unschedulable_after,
       "Fail when no worker can take it for so long (default 15m; 0: wait for ever)", "DURATION");
  text("--arch-tags", flags.arch_tags,
       "Per-architecture tags (default {tag}-{arch}); off writes none", "TEMPLATE");
  text("--check-binaries", flags.check_binaries,
       "Programs of another architecture in an image: warn (default), strict (fail) or off", "HOW")
      ->check(CLI::IsMember({"warn", "strict", "off"}));
  text("--project", flags.project, "What the job is accounted to", "NAME");
  text("--priority", flags.priority,
       "-100 to 100 (default 0): within a project, higher ones start first", "N");
  command.add_flag("-d,--detach", flags.detach, "Print the job's id and leave it running");
  AddDetachOnInterrupt(command, flags.attach);
  AddAttachFlags(command, flags.attach);
  command.add_flag("--immutable", flags.immutable, "Fail where a tag exists already: move none");
  // One name for two things: that of buildah, and that of every listing here.
  command
      .add_option_function<std::vector<std::string>>(
          "--format",
          [&flags](const std::vector<std::string>& formats) {
            for (const std::string& format : formats) {
              const bool image = format == "docker" || format == "oci";
              (image ? flags.image_format : flags.attach.output) = format;
            }
          },
          "Of the images and their list: docker (default) or oci; of the printed result: table or "
          "json (repeatable)")
      ->check(CLI::IsMember({"docker", "oci", "table", "json"}))
      ->type_name("FORMAT")
      ->allow_extra_args(false);
  for (const RefusedFlag& refused : kRefused) {
    const std::string names = refused.names;
    const std::string flag = names.substr(names.find("--"));
    const std::string sentence = absl::StrCat(flag, " ", refused.why);
    const auto note = [&flags, sentence] { flags.refused.push_back(sentence); };
    if (refused.takes_value) {
      command
          .add_option_function<std::vector<std::string>>(
              names, [note](const std::vector<std::string>&) { note(); }, "")
          ->allow_extra_args(false)
          ->group("");
    } else {
      const auto value = std::make_shared<std::string>();  // For as long as its option lives.
      command.add_flag(names, *value, "")
          ->each([note, value, done = std::string(refused.done)](const std::string& given) {
            if (given != done) note();
          })
          ->group("");
    }
  }
}

}  // namespace manyarch::cli
