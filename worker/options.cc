#include "worker/options.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/base/worker_values.h"
#include "common/os/flags.h"

namespace manyarch::worker {

namespace {

constexpr int kUsage = 2;

struct Texts {  // As given; checked afterwards, so that the messages are ours.
  std::vector<std::string> labels;
  std::vector<std::string> platforms;
  std::string isolation = "auto";
  std::string drain_timeout = "6h";
  std::string max_offline = "2h";
  std::string min_free = "5%,2GiB";
  std::string cache_limit = "20%,10GiB";
  std::string store_limit = "40%,100GiB";
};

absl::Status Interpret(const Texts& texts, Options* options) {
  MA_RETURN_IF_ERROR(ParseHostPortFlag("--controller", options->controller).status());
  if (options->slots < 1 || options->slots > 1000) {
    return absl::InvalidArgumentError(
        absl::StrCat("--slots: ", options->slots, " is not between 1 and 1000"));
  }
  MA_RETURN_IF_ERROR(Annotate(CheckWorkerText("name", options->name), "--name"));
  for (const std::string& label : texts.labels) {
    const std::pair<std::string, std::string> kv = absl::StrSplit(label, absl::MaxSplits('=', 1));
    if (kv.first.empty() || !absl::StrContains(label, '=')) {
      return absl::InvalidArgumentError(
          absl::StrCat("--label: '", label, "' is not NAME=VALUE; say for example disk=nvme"));
    }
    MA_RETURN_IF_ERROR(Annotate(CheckWorkerLabel(kv.first, kv.second), "--label"));
    options->labels[kv.first] = kv.second;
  }
  if (!texts.platforms.empty()) {
    MA_ASSIGN_OR_RETURN(options->platforms, ParsePlatformList(texts.platforms));
  }
  MA_ASSIGN_OR_RETURN(options->isolation, ParseIsolationChoice(texts.isolation));
  MA_ASSIGN_OR_RETURN(options->drain_timeout,
                      ParseDurationFlag("--drain-timeout", texts.drain_timeout));
  MA_ASSIGN_OR_RETURN(options->max_offline, ParseDurationFlag("--max-offline", texts.max_offline));
  MA_ASSIGN_OR_RETURN(options->min_free, ParseMinFreeFlag("--min-free", texts.min_free));
  MA_ASSIGN_OR_RETURN(options->cache_limit, ParseMinFreeFlag("--cache-limit", texts.cache_limit));
  MA_ASSIGN_OR_RETURN(options->store_limit, ParseMinFreeFlag("--store-limit", texts.store_limit));
  return absl::OkStatus();
}

}  // namespace

std::optional<int> ParseOptions(int argc, char** argv, Options* options) {
  char host[256] = "worker";
  gethostname(host, sizeof(host) - 1);
  options->name = host;

  CLI::App app(
      "Runs builds for a manyarch controller: dials it, offers the platforms that this machine "
      "can\n"
      "run, natively or emulated, and builds and pushes images with buildah.\n"
      "Every option can also be given as MANYARCH_<OPTION>, e.g. MANYARCH_STATE_DIR.",
      "manyarch-worker");
  Texts texts;
  app.set_version_flag("--version", std::string("manyarch-worker ") + MANYARCH_VERSION);
  app.add_option("--controller", options->controller, "HOST:PORT of the controller")
      ->capture_default_str();
  app.add_option("--state-dir", options->state_dir,
                 "directory for identity, caches and image stores; one worker each")
      ->capture_default_str();
  app.add_option("--name", options->name, "name for people; the host name by default")
      ->capture_default_str();
  app.add_option("--slots", options->slots, "how many builds may run at a time")
      ->capture_default_str();
  app.add_option(
         "--label", texts.labels,
         "NAME=VALUE that describes this machine; repeatable, or a comma list. memory=64GiB is\n"
         "how much builds may ask for")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--isolation", texts.isolation, "auto, oci or chroot")->capture_default_str();
  app.add_option("--platforms", texts.platforms,
                 "offer only these of the platforms found, e.g. linux/amd64,linux/arm64")
      ->allow_extra_args(false);
  app.add_option("--drain-timeout", texts.drain_timeout,
                 "after SIGTERM, builds that take longer are given back")
      ->capture_default_str();
  app.add_option("--max-offline", texts.max_offline,
                 "cut off from the controller for this long, running builds are stopped")
      ->capture_default_str();
  app.add_option("--min-free", texts.min_free,
                 "with less of the state directory's disk free, caches are given up and nothing "
                 "new is\ntaken: 5%, 2GiB, or the lesser one of both")
      ->capture_default_str();
  app.add_option("--cache-limit", texts.cache_limit,
                 "how much of the state directory's disk contexts may take between builds; the "
                 "parts\nused longest ago go: 20%, 10GiB, or the lesser one of both")
      ->capture_default_str();
  app.add_option(
         "--store-limit", texts.store_limit,
         "the same for the images and layers that all slots keep for all platforms, together")
      ->capture_default_str();
  app.add_option("--log-spool-limit", options->log_spool_limit)->group("");  // For tests.
  app.add_option("--log-level", options->log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  // Its flags may stand behind it as well.
  app.fallthrough();
  app.add_subcommand("doctor",
                     "Look at what a worker needs on this machine, and say what is missing")
      ->callback([options] { options->doctor = true; });
  app.set_config("--config", "",
                 "file with these options, a line each: state-dir = \"/srv/worker\"");
  app.allow_config_extras(CLI::config_extras_mode::error);

  if (const int code = ParseArgs(app, argc, argv); code >= 0) return code;
  if (const absl::Status status = Interpret(texts, options); !status.ok()) {
    std::cerr << "manyarch-worker: " << status.message() << "\n";
    return kUsage;
  }
  return std::nullopt;
}

}  // namespace manyarch::worker
