#include "controller/options.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/flags.h"
#include "registry/reference.h"

namespace manyarch::controller {

namespace {

struct Texts {
  std::string heartbeat = "5s";
  std::string suspect_after = "20s";
  std::string lost_after = "60s";
  std::string min_free = "5%,1GiB";
  std::string content_limit = "20%";
  std::string context_max_size = "64GiB";
};

absl::Status Interpret(const Texts& texts, Options* options) {
  MA_ASSIGN_OR_RETURN(const HostPort address, ParseHostPortFlag("--listen", options->listen));
  if (!options->insecure_listen && !registry::IsLoopback(address.host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--listen: ", options->listen,
        " can be reached from other machines, and there is no TLS and no authentication yet: "
        "anybody "
        "there could run builds. Listen on 127.0.0.1 and reach it through an SSH tunnel, or add "
        "--insecure-listen if the network itself is trusted"));
  }
  MA_ASSIGN_OR_RETURN(options->heartbeat, ParseDurationFlag("--heartbeat", texts.heartbeat));
  MA_ASSIGN_OR_RETURN(options->suspect_after,
                      ParseDurationFlag("--suspect-after", texts.suspect_after));
  MA_ASSIGN_OR_RETURN(options->lost_after, ParseDurationFlag("--lost-after", texts.lost_after));
  MA_ASSIGN_OR_RETURN(options->min_free, ParseMinFreeFlag("--min-free", texts.min_free));
  MA_ASSIGN_OR_RETURN(options->content_limit,
                      ParseMinFreeFlag("--content-limit", texts.content_limit));
  MA_ASSIGN_OR_RETURN(const MinFree size,
                      ParseMinFreeFlag("--context-max-size", texts.context_max_size));
  if (size.bytes == INT64_MAX) {
    return absl::InvalidArgumentError(absl::StrCat("--context-max-size: '", texts.context_max_size,
                                                   "' is not a size like 64GiB"));
  }
  options->context_limits.bytes = size.bytes;
  if (options->heartbeat <= absl::ZeroDuration() || options->heartbeat >= options->suspect_after ||
      options->suspect_after > options->lost_after) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--heartbeat (", texts.heartbeat, ") must be shorter than --suspect-after (",
        texts.suspect_after, "), and that no longer than --lost-after (", texts.lost_after, ")"));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<int> ParseOptions(int argc, char** argv, Options* options) {
  CLI::App app(
      "The controller of a manyarch farm: takes jobs, gives their builds to workers, and publishes "
      "the\n"
      "manifest lists. Every option can also be given as MANYARCH_<OPTION>, e.g. "
      "MANYARCH_STATE_DIR.",
      "manyarch-controller");
  Texts texts;
  app.set_version_flag("--version", std::string("manyarch-controller ") + MANYARCH_VERSION);
  app.add_option("--listen", options->listen, "HOST:PORT to listen on; port 0 takes any free one")
      ->capture_default_str();
  app.add_flag("--insecure-listen", options->insecure_listen,
               "allow --listen on an address that other machines can reach, without TLS");
  app.add_option("--port-file", options->port_file,
                 "file to write the port to, once the controller listens");
  app.add_option("--state-dir", options->state_dir,
                 "directory for the store, contexts and logs; one controller each")
      ->capture_default_str();
  app.add_option("--plain-http", options->plain_http,
                 "HOST[:PORT] of a registry that is spoken to without TLS; repeatable");
  app.add_option("--registry-authfile", options->registry_authfile,
                 "containers auth.json with the credentials for registries; workers get them with "
                 "each build");
  app.add_option("--heartbeat", texts.heartbeat, "how often workers report")->capture_default_str();
  app.add_option("--suspect-after", texts.suspect_after,
                 "a worker silent for this long is sent nothing new")
      ->capture_default_str();
  app.add_option("--lost-after", texts.lost_after,
                 "a worker silent for this long is lost, and its builds start elsewhere")
      ->capture_default_str();
  app.add_option(
         "--min-free", texts.min_free,
         "with less of the state directory's disk free, jobs and contexts are refused; with "
         "half of\nthat, logs stay with their workers: 5%, 1GiB, or the lesser one of both")
      ->capture_default_str();
  app.add_option("--content-limit", texts.content_limit,
                 "how much contexts may take of the state directory's disk; above it, those used\n"
                 "longest ago go, but none that a live job needs: 20%, 50GiB, or the lesser one of "
                 "both")
      ->capture_default_str();
  app.add_option("--context-max-size", texts.context_max_size,
                 "how large the files of one context may be together")
      ->capture_default_str();
  app.add_option("--context-max-files", options->context_limits.entries,
                 "how many files, directories and links a context may have")
      ->check(CLI::Range(1, 5'000'000))
      ->capture_default_str();
  app.add_option("--context-max-depth", options->context_limits.depth,
                 "how many directories of a context may be inside each other")
      ->check(CLI::Range(1, 200))
      ->capture_default_str();
  app.add_option("--log-level", options->log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  // Its flags may stand behind it as well.
  app.fallthrough();
  app.add_subcommand("check", "Verify the store and the content in --state-dir, offline")
      ->callback([options] { options->check = true; });
  app.set_config("--config", "",
                 "file with these options, a line each: state-dir = \"/srv/manyarch\"");
  app.allow_config_extras(CLI::config_extras_mode::error);
  if (const int code = ParseArgs(app, argc, argv); code >= 0) return code;
  if (const absl::Status status = Interpret(texts, options); !status.ok()) {
    std::cerr << "manyarch-controller: " << status.message() << "\n";
    return 2;
  }
  return std::nullopt;
}

}  // namespace manyarch::controller
