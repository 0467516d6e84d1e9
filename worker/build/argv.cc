#include "worker/build/argv.h"

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/base/platform.h"

namespace manyarch::worker {

namespace {

std::vector<std::string> Base(const BuildahInfo& buildah, const StorePaths& store) {
  // systemd is not asked for cgroups: it is not there in containers, and its units outlive a kill.
  return {buildah.path, "--root=" + store.root, "--runroot=" + store.runroot,
          "--cgroup-manager=cgroupfs"};
}

std::string PlatformFlag(const v1::Platform& platform) {
  return absl::StrCat("--platform=", platform.os(), "/", platform.arch(),
                      platform.variant().empty() ? "" : "/", platform.variant());
}

std::string PullFlag(const BuildRequest& request) {
  if (request.options.pull()) return "--pull=always";
  // Workers must not differ in how old their base images are: a newer one is taken, but a registry
  // that does not answer is no obstacle. This policy has had two names.
  return request.buildah.version >= BuildahVersion{1, 33, 0} ? "--pull=newer" : "--pull=true";
}

using NameValues = google::protobuf::RepeatedPtrField<v1::NameValue>;

void AddPairs(absl::string_view flag, const NameValues& pairs, std::vector<std::string>& argv) {
  for (const v1::NameValue& pair : pairs) {
    argv.push_back(absl::StrCat(flag, "=", pair.name(), "=", pair.value()));
  }
}

void AddLimits(const v1::BuildOptions& options, std::vector<std::string>& argv) {
  constexpr int64_t kPeriod = 100'000;  // In microseconds, as the kernel's own default.
  if (options.memory_bytes() > 0) {
    argv.push_back(absl::StrCat("--memory=", options.memory_bytes(), "b"));
  }
  if (options.cpu_millis() > 0) {
    argv.push_back(absl::StrCat("--cpu-period=", kPeriod));
    argv.push_back(absl::StrCat("--cpu-quota=", options.cpu_millis() * kPeriod / 1000));
  }
}

void AddContexts(const BuildRequest& request, std::vector<std::string>& argv) {
  for (int n = 0; n < request.options.contexts_size(); ++n) {
    const v1::NamedContext& context = request.options.contexts(n);
    argv.push_back(absl::StrCat(
        "--build-context=", context.name(), "=",
        context.has_image() ? "docker://" + context.image() : request.work.named_context(n)));
  }
}

// What the job's own options say.
void AddOptions(const BuildRequest& request, std::vector<std::string>& argv) {
  const v1::BuildOptions& options = request.options;
  if (options.no_cache()) argv.push_back("--no-cache");
  for (const std::string& repository : options.cache_from()) {
    argv.push_back("--cache-from=" + CacheRepository(repository, request.platform));
  }
  for (const std::string& repository : options.cache_to()) {
    argv.push_back("--cache-to=" + CacheRepository(repository, request.platform));
  }
  if (options.has_timestamp()) {
    argv.push_back(absl::StrCat("--timestamp=", options.timestamp()));
  }
  if (!options.target().empty()) argv.push_back("--target=" + options.target());
  AddPairs("--build-arg", options.build_args(), argv);
  AddPairs("--label", options.labels(), argv);
  AddPairs("--annotation", options.annotations(), argv);
  for (const std::string& host : options.add_hosts()) argv.push_back("--add-host=" + host);
  AddLimits(options, argv);
  for (int n = 0; n < options.secret_ids_size(); ++n) {
    argv.push_back(
        absl::StrCat("--secret=id=", options.secret_ids(n), ",src=", request.work.secret(n)));
  }
  for (int n = 0; n < options.ssh_ids_size(); ++n) {
    argv.push_back(absl::StrCat("--ssh=", options.ssh_ids(n), "=", request.work.ssh_key(n)));
  }
  AddContexts(request, argv);
}

}  // namespace

std::string CacheRepository(const std::string& repository, const v1::Platform& platform) {
  return absl::StrCat(repository, "-",
                      ArchTagSuffix({platform.os(), platform.arch(), platform.variant()}));
}

std::vector<std::string> BuildArgv(const BuildRequest& request) {
  const v1::BuildOptions& options = request.options;
  std::vector<std::string> argv = Base(request.buildah, request.store);
  argv.push_back("build");
  argv.push_back(PlatformFlag(request.platform));
  argv.push_back(request.format == v1::IMAGE_FORMAT_OCI ? "--format=oci" : "--format=docker");
  // buildah's own --squash would put the base image's layers into the new one, too. Without the
  // cache of layers, all new ones are one already.
  argv.push_back(options.squash() ? "--layers=false" : "--layers");
  argv.push_back("--force-rm");
  for (std::string& flag :
       IsolationFlags(request.buildah, request.work.runtime(), request.cgroup_parent)) {
    argv.push_back(std::move(flag));
  }
  // A network of its own would leave bridges and address leases behind a kill.
  argv.push_back(options.network() == "none" ? "--network=none" : "--network=host");
  argv.push_back("--authfile=" + request.work.authfile());
  argv.push_back(PullFlag(request));
  AddOptions(request, argv);
  // What is to be ignored has been left out of the context already; buildah's own idea of the rules
  // differs.
  argv.push_back("--ignorefile=" + request.work.ignorefile());
  argv.push_back("--iidfile=" + request.work.iidfile());
  argv.push_back("--file=" + request.containerfile);
  argv.push_back("--");
  argv.push_back(request.work.context());
  return argv;
}

std::vector<std::string> PushArgv(const PushRequest& request) {
  std::vector<std::string> argv = Base(request.buildah, request.store);
  argv.push_back("push");
  // Without a format, a registry that refuses the image's own would silently get another one.
  argv.push_back(request.format == v1::IMAGE_FORMAT_OCI ? "--format=oci" : "--format=v2s2");
  argv.push_back("--authfile=" + request.work.authfile());
  argv.push_back("--digestfile=" + request.work.digestfile());
  argv.push_back("--");
  argv.push_back(request.image_id);
  argv.push_back(
      request.buildah.push_by_digest()
          ? absl::StrCat("docker://", request.repository, "@@unknown-digest@@")
          : absl::StrCat("docker://", request.repository, ":", StagingTag(request.attempt_id)));
  return argv;
}

std::vector<std::string> RemoveContainersArgv(const BuildahInfo& buildah, const StorePaths& store) {
  std::vector<std::string> argv = Base(buildah, store);
  argv.push_back("rm");
  argv.push_back("--all");
  return argv;
}

std::vector<std::string> RemoveImagesArgv(const BuildahInfo& buildah, const StorePaths& store,
                                          const std::vector<std::string>& ids) {
  std::vector<std::string> argv = Base(buildah, store);
  argv.push_back("rmi");
  argv.push_back("--force");
  argv.push_back("--");
  argv.insert(argv.end(), ids.begin(), ids.end());
  return argv;
}

std::vector<std::string> BuildahEnvironment(const WorkPaths& work,
                                            const std::map<std::string, std::string>& own) {
  std::vector<std::string> env = {
      // No settings or credentials of whoever runs the worker.
      "HOME=" + work.dir,
      "XDG_RUNTIME_DIR=" + work.dir,
      "TMPDIR=" + (work.short_tmp.empty() ? work.tmp() : work.short_tmp),
      "CONTAINERS_REGISTRIES_CONF=" + work.registries_conf(),
  };
  for (const char* name :
       {"PATH", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy", "HTTP_PROXY",
        "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}) {
    if (const auto it = own.find(name); it != own.end()) {
      env.push_back(absl::StrCat(name, "=", it->second));
    }
  }
  return env;
}

}  // namespace manyarch::worker
