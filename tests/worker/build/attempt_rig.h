// A runner with the real buildah, a real docker-registry, and contexts made of Containerfiles and
// tiny programs. Everything is below one temporary directory.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "tests/worker/cache/memory_source.h"
#include "worker/build/attempt_runner.h"
#include "worker/contexts.h"
#include "worker/platform/buildah_info.h"

namespace manyarch::worker {

// Looked for among what attempts leave.
inline constexpr char kSecretOfTests[] = "a secret that nothing may keep";

inline int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  // The casts are the socket API's own way.
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

class Recorder : public AttemptObserver {
 public:
  void OnState(v1::AttemptState state) override { states.push_back(state); }
  void OnOutput(absl::string_view bytes) override {
    output.append(bytes.data(), bytes.size());
    if (on_output) on_output();
  }

  std::vector<v1::AttemptState> states;
  std::string output;
  std::function<void()> on_output;
};

class AttemptRig {
 public:
  // Empty, or why the tests cannot run here.
  std::string Start(IsolationChoice choice) {
    if (geteuid() != 0) return "needs root";
    for (const char* program : {"buildah", "runc", "docker-registry"}) {
      if (!FindProgram(program).ok()) return absl::StrCat("needs ", program);
    }
    // It does not change within a run of the tests, and takes a second.
    static auto& known = *new std::map<IsolationChoice, absl::StatusOr<BuildahInfo>>;
    auto& info = known.try_emplace(choice, absl::UnknownError("")).first->second;
    if (absl::IsUnknown(info.status())) info = DetectBuildah(choice, dir.path() + "/scratch");
    if (!info.ok()) return std::string(info.status().message());
    AttemptRunner::Options options;
    options.state_dir = dir.path() + "/state";
    options.buildah = buildah = *info;
    if (absl::Status made = MakeDirs(options.state_dir); !made.ok()) return made.ToString();
    auto opened = CachedContexts::Open(options.state_dir + "/cache", int64_t{1} << 30, &source);
    if (!opened.ok()) return opened.status().ToString();
    contexts = *std::move(opened);
    auto made = AttemptRunner::Create(options, contexts.get());
    if (!made.ok()) return made.status().ToString();
    runner = *std::move(made);
    registry = absl::StrCat("127.0.0.1:", FreePort());
    const std::string config = dir.path() + "/registry.yml";
    if (absl::Status written = WriteFileAtomic(
            config, absl::StrCat(
                        "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ",
                        dir.path(), "/registry}}\nhttp: {addr: '", registry, "'}\n"));
        !written.ok()) {
      return written.ToString();
    }
    auto child = ChildProcess::Start({.argv = {"docker-registry", "serve", config}});
    if (!child.ok()) return child.status().ToString();
    registry_process = *std::move(child);
    const absl::Time end = absl::Now() + absl::Seconds(30);
    while (!RunCommand({.argv = {"curl", "-sf", "http://" + registry + "/v2/"}}).value().ok()) {
      if (absl::Now() > end) return "docker-registry does not answer";
      absl::SleepFor(absl::Milliseconds(20));
    }
    return "";
  }

  // A context with these files; programs (0755) and texts alike.
  Digest Context(const std::map<std::string, std::string>& files) {
    v1::Directory root;
    root.set_mode(0755);
    for (const auto& [name, bytes] : files) {
      AddFile(root, name, static_cast<int64_t>(bytes.size()), 0755,
              bytes.empty() ? std::vector<Digest>{} : std::vector<Digest>{source.Add(bytes)});
    }
    return source.Add(root);
  }

  v1::Offer Offer(const Digest& context, const std::string& arch = "amd64") {
    v1::Offer offer;
    offer.set_attempt_id(absl::StrCat("j0test-", arch, "-", ++attempts));
    offer.mutable_platform()->set_os("linux");
    offer.mutable_platform()->set_arch(arch);
    offer.set_context_root(context.ToString());
    offer.set_repository(registry + "/test/app");
    offer.mutable_registry()->add_plain_http(registry);
    return offer;
  }

  AttemptContext Prepare(const v1::Offer& offer) {
    AttemptContext attempt{offer, 0, dir.path() + "/attempts/" + offer.attempt_id()};
    EXPECT_TRUE(MakeDirs(attempt.attempt_dir).ok());
    return attempt;
  }

  v1::Finished Run(const v1::Offer& offer) { return runner->Run(Prepare(offer), seen, stop); }

  // What is left of attempts anywhere: files, processes, mounts, cgroups, working containers.
  std::string Leftovers() {
    const std::string script =
        "cd \"$1\"; find attempts -mindepth 2; ls state | grep cleaning; grep -rlF \"$3\" .; "
        "find /sys/fs/cgroup -depth -type d -name 'manyarch-'\"$2\"'*'; "
        "grep -F \"$1\" /proc/self/mounts; "
        "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -F -- "
        "\"--root=$1\"; done; "
        "for f in state/slots/*/*/root/*-containers/containers.json; do "
        "test -e $f && test \"$(cat $f)\" != '[]' && echo $f; done; true";
    const std::string key(Digest::Of(dir.path() + "/state").hex().substr(0, 8));
    return RunChecked({.argv = {"/bin/sh", "-c", script, "sh", dir.path(), key, kSecretOfTests}})
        .value();
  }

  TempDir dir = *TempDir::Make("attempt-test-");
  MemorySource source;
  std::unique_ptr<CachedContexts> contexts;
  BuildahInfo buildah;
  std::unique_ptr<AttemptRunner> runner;
  std::string registry;
  std::unique_ptr<ChildProcess> registry_process;
  Recorder seen;
  StopToken stop;
  int attempts = 0;
};

}  // namespace manyarch::worker
