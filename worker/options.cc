#include "worker/options.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace manyarch::worker {

namespace {

constexpr int kUsage = 2;

struct Texts {  // As given; checked afterwards, so that the messages are ours.
  std::vector<std::string> labels;
  std::vector<std::string> platforms;
  std::string isolation = "auto";
  std::string drain_timeout = "6h";
  std::string max_offline = "2h";
};

// "--state-dir" -> "MANYARCH_STATE_DIR"
std::string EnvironmentName(absl::string_view flag) {
  std::string name = absl::StrCat("MANYARCH_", absl::AsciiStrToUpper(flag.substr(2)));
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

// The arguments, with those the environment gives in front unless the command line has them itself.
// (CLI11 would let a config file win over the environment.)
std::vector<std::string> WithEnvironment(const CLI::App& app, std::vector<std::string> args) {
  std::vector<std::string> all;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || option->get_items_expected_max() == 0) continue;
    const std::string flag = "--" + option->get_lnames()[0];
    const char* value = std::getenv(EnvironmentName(flag).c_str());
    if (value == nullptr || *value == '\0') continue;
    bool given = false;
    for (const std::string& arg : args) {
      given = given || arg == flag || absl::StartsWith(arg, flag + "=");
    }
    if (!given) all.push_back(absl::StrCat(flag, "=", value));
  }
  for (std::string& arg : args) all.push_back(std::move(arg));
  return all;
}

absl::StatusOr<absl::Duration> ParseTime(absl::string_view flag, const std::string& text) {
  absl::Duration duration;
  if ((absl::ParseDuration(text, &duration) || absl::ParseDuration(text + "s", &duration)) &&
      duration >= absl::ZeroDuration()) {
    return duration;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": '", text, "' is not a duration; say for example 90s, 30m or 2h"));
}

absl::Status CheckAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--controller: '", text, "' is not HOST:PORT; say for example farm.example.com:7460"));
  }
  return absl::OkStatus();
}

absl::Status Interpret(const Texts& texts, Options* options) {
  MA_RETURN_IF_ERROR(CheckAddress(options->controller));
  if (options->slots < 1 || options->slots > 1000) {
    return absl::InvalidArgumentError(
        absl::StrCat("--slots: ", options->slots, " is not between 1 and 1000"));
  }
  for (const std::string& label : texts.labels) {
    const std::pair<std::string, std::string> kv = absl::StrSplit(label, absl::MaxSplits('=', 1));
    if (kv.first.empty() || !absl::StrContains(label, '=')) {
      return absl::InvalidArgumentError(
          absl::StrCat("--label: '", label, "' is not NAME=VALUE; say for example disk=nvme"));
    }
    options->labels[kv.first] = kv.second;
  }
  if (!texts.platforms.empty()) {
    MA_ASSIGN_OR_RETURN(options->platforms, ParsePlatformList(texts.platforms));
  }
  MA_ASSIGN_OR_RETURN(options->isolation, ParseIsolationChoice(texts.isolation));
  MA_ASSIGN_OR_RETURN(options->drain_timeout, ParseTime("--drain-timeout", texts.drain_timeout));
  MA_ASSIGN_OR_RETURN(options->max_offline, ParseTime("--max-offline", texts.max_offline));
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
  app.add_option("--label", texts.labels,
                 "NAME=VALUE that describes this machine; repeatable, or a comma list")
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
  app.add_option("--log-level", options->log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  app.set_config("--config", "",
                 "file with these options, a line each: state-dir = \"/srv/worker\"");
  app.allow_config_extras(CLI::config_extras_mode::error);

  std::vector<std::string> args =
      WithEnvironment(app, std::vector<std::string>(argv + 1, argv + argc));
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // CLI11 wants them reversed.
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    const bool in_file = dynamic_cast<const CLI::ConfigError*>(&error) != nullptr;
    std::cerr << "manyarch-worker: " << (in_file ? "in the file of --config: " : "") << error.what()
              << "\nSee manyarch-worker --help.\n";
    return kUsage;
  }
  if (const absl::Status status = Interpret(texts, options); !status.ok()) {
    std::cerr << "manyarch-worker: " << status.message() << "\n";
    return kUsage;
  }
  return std::nullopt;
}

}  // namespace manyarch::worker
