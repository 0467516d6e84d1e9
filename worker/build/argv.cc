#include "worker/build/argv.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/ids.h"

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

}  // namespace

std::vector<std::string> BuildArgv(const BuildRequest& request) {
  std::vector<std::string> argv = Base(request.buildah, request.store);
  argv.push_back("build");
  argv.push_back(PlatformFlag(request.platform));
  argv.push_back("--format=docker");
  argv.push_back("--layers");
  argv.push_back("--force-rm");
  for (std::string& flag :
       IsolationFlags(request.buildah, request.work.runtime(), request.cgroup_parent)) {
    argv.push_back(std::move(flag));
  }
  // A network of its own would leave bridges and address leases behind a kill.
  argv.push_back("--network=host");
  argv.push_back("--authfile=" + request.work.authfile());
  argv.push_back(PullFlag(request));
  if (request.options.no_cache()) argv.push_back("--no-cache");
  if (!request.options.target().empty()) argv.push_back("--target=" + request.options.target());
  for (const v1::NameValue& arg : request.options.build_args()) {
    argv.push_back(absl::StrCat("--build-arg=", arg.name(), "=", arg.value()));
  }
  for (const v1::NameValue& label : request.options.labels()) {
    argv.push_back(absl::StrCat("--label=", label.name(), "=", label.value()));
  }
  for (int i = 0; i < request.options.contexts_size(); ++i) {
    const v1::NamedContext& context = request.options.contexts(i);
    argv.push_back(absl::StrCat(
        "--build-context=", context.name(), "=",
        context.has_image() ? "docker://" + context.image() : request.work.named_context(i)));
  }
  // What is to be ignored has been left out of the context already; buildah's own idea of the rules
  // differs.
  argv.push_back("--ignorefile=" + request.work.ignorefile());
  argv.push_back("--iidfile=" + request.work.iidfile());
  argv.push_back("--file=" + request.containerfile);
  argv.push_back("--");
  argv.push_back(request.work.context());
  return argv;
}

std::vector<std::string> PushArgv(const BuildahInfo& buildah, const StorePaths& store,
                                  const WorkPaths& work, const std::string& image_id,
                                  const std::string& repository, const std::string& attempt_id) {
  std::vector<std::string> argv = Base(buildah, store);
  argv.push_back("push");
  // Without a format, a registry that refuses v2s2 would silently get another one.
  argv.push_back("--format=v2s2");
  argv.push_back("--authfile=" + work.authfile());
  argv.push_back("--digestfile=" + work.digestfile());
  argv.push_back("--");
  argv.push_back(image_id);
  argv.push_back(buildah.push_by_digest()
                     ? absl::StrCat("docker://", repository, "@@unknown-digest@@")
                     : absl::StrCat("docker://", repository, ":", StagingTag(attempt_id)));
  return argv;
}

std::vector<std::string> RemoveContainersArgv(const BuildahInfo& buildah, const StorePaths& store) {
  std::vector<std::string> argv = Base(buildah, store);
  argv.push_back("rm");
  argv.push_back("--all");
  return argv;
}

std::vector<std::string> PruneArgv(const BuildahInfo& buildah, const StorePaths& store,
                                   Prune what) {
  std::vector<std::string> argv = Base(buildah, store);
  argv.push_back("rmi");
  if (what == Prune::kCachedLayers) {
    argv.push_back("--prune");
  } else {
    argv.push_back("--all");
    argv.push_back("--force");
  }
  return argv;
}

std::vector<std::string> BuildahEnvironment(const WorkPaths& work,
                                            const std::map<std::string, std::string>& own) {
  std::vector<std::string> env = {
      // No settings or credentials of whoever runs the worker.
      "HOME=" + work.dir,
      "XDG_RUNTIME_DIR=" + work.dir,
      "TMPDIR=" + work.tmp(),
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

std::string RegistriesConf(const std::vector<std::string>& plain_http) {
  std::string text = "unqualified-search-registries = [\"docker.io\"]\n";
  for (const std::string& host : plain_http) {
    const std::string quoted = absl::StrReplaceAll(host, {{"\\", "\\\\"}, {"\"", "\\\""}});
    absl::StrAppend(&text, "\n[[registry]]\nlocation = \"", quoted, "\"\ninsecure = true\n");
  }
  return text;
}

}  // namespace manyarch::worker
