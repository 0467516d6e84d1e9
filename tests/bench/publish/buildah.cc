#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/os/subprocess.h"
#include "tests/bench/publish/rounds.h"

namespace manyarch::bench {

absl::StatusOr<absl::Duration> PublishByBuildah(const std::string& host,
                                                const std::string& repository,
                                                const std::string& tag,
                                                const std::vector<Pushed>& images,
                                                const std::string& storage) {
  const std::string list = absl::StrCat("localhost/", repository, ":", tag);
  const auto run = [&](std::vector<std::string> words) {
    Command command;
    command.argv = {"buildah",          "--root", storage + "/root", "--runroot", storage + "/run",
                    "--storage-driver", "vfs",    "manifest"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    return RunChecked(command).status();
  };
  const absl::Time start = absl::Now();
  MA_RETURN_IF_ERROR(run({"create", list}));
  for (const Pushed& pushed : images) {
    MA_RETURN_IF_ERROR(run(
        {"add", "--tls-verify=false", list,
         absl::StrCat("docker://", host, "/", repository, "@", pushed.image.digest().ToString())}));
  }
  MA_RETURN_IF_ERROR(run({"push", "--all", "--format", "v2s2", "--tls-verify=false", list,
                          absl::StrCat("docker://", host, "/", repository, ":", tag)}));
  const absl::Duration took = absl::Now() - start;
  MA_RETURN_IF_ERROR(run({"rm", list}));
  return took;
}

absl::StatusOr<absl::Duration> StartBuildah(size_t times) {
  const absl::Time start = absl::Now();
  for (size_t i = 0; i < times; ++i) {
    Command command;
    command.argv = {"buildah", "--version"};
    MA_RETURN_IF_ERROR(RunChecked(command).status());
  }
  return absl::Now() - start;
}

}  // namespace manyarch::bench
