// Command lines of buildah, and the environment it runs in. Pure.
//
// Every value stands behind "--flag=" or after "--", so nothing that a user chose can become a
// flag. Values that buildah would take apart at commas are checked before (build_options.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "manyarch/v1/types.pb.h"
#include "worker/core/buildah.h"

namespace manyarch::worker {

// An image store. One buildah at a time works on it: below 1.38 concurrent builds in one store are
// not safe. Each slot has one for each platform, because buildah's layer cache does not look at the
// platform: from one base (or from scratch) an arm64 build would take the layers of an amd64 one.
struct StorePaths {
  std::string root;
  std::string runroot;
};

// Where the files of one attempt are, all below one directory.
struct WorkPaths {
  explicit WorkPaths(std::string dir_of_work) : dir(std::move(dir_of_work)) {}

  std::string dir;
  std::string context() const { return dir + "/context"; }
  // Of the job's named contexts, by their place in the options.
  std::string named_context(int n) const { return absl::StrCat(dir, "/context-", n); }
  std::string containerfile() const { return dir + "/Containerfile"; }  // One outside the context.
  std::string ignorefile() const { return dir + "/no-ignore"; }         // Empty.
  std::string tmp() const { return dir + "/tmp"; }
  // A short link to tmp(), where there is one: buildah's ssh agents listen on sockets in TMPDIR,
  // and the path of a socket may have 107 bytes.
  std::string short_tmp;
  std::string runtime() const { return dir + "/runtime"; }  // State of the OCI runtime.
  std::string authfile() const { return dir + "/auth.json"; }
  std::string registries_conf() const { return dir + "/registries.conf"; }
  // Where buildah, whose HOME is `dir`, looks for what each registry's host needs of TLS.
  std::string certificates() const { return dir + "/.config/containers/certs.d"; }
  std::string iidfile() const { return dir + "/image-id"; }
  std::string digestfile() const { return dir + "/digest"; }
  std::string secrets() const { return dir + "/secrets"; }
  // Of the n-th of the options' secrets and ssh keys.
  std::string secret(int n) const { return absl::StrCat(secrets(), "/", n); }
  std::string ssh_key(int n) const { return absl::StrCat(secrets(), "/ssh-", n); }
};

struct BuildRequest {
  BuildahInfo buildah;
  StorePaths store;
  WorkPaths work{""};
  std::string cgroup_parent;
  v1::Platform platform;
  v1::ImageFormat format = v1::IMAGE_FORMAT_DOCKER;
  v1::BuildOptions options;
  std::string containerfile;  // Absolute.
};

// `buildah build`: the image's id goes to work.iidfile().
std::vector<std::string> BuildArgv(const BuildRequest& request);

// Where the layers of a platform are cached: the repository that the job names, with the suffix of
// the platform's own tags, because buildah does not keep platforms apart in it.
std::string CacheRepository(const std::string& repository, const v1::Platform& platform);

// What is pushed, and where.
struct PushRequest {
  BuildahInfo buildah;
  StorePaths store;
  WorkPaths work{""};
  v1::ImageFormat format = v1::IMAGE_FORMAT_DOCKER;
  std::string image_id;
  std::string repository;
  std::string attempt_id;
};

// `buildah push` of an image by its id: without a tag where buildah can, else to the attempt's
// staging tag. The digest goes to work.digestfile().
std::vector<std::string> PushArgv(const PushRequest& request);

// Removes all working containers of a store.
std::vector<std::string> RemoveContainersArgv(const BuildahInfo& buildah, const StorePaths& store);

// Removes these images of a store, whatever their names, and the layers that no other one is made
// of.
std::vector<std::string> RemoveImagesArgv(const BuildahInfo& buildah, const StorePaths& store,
                                          const std::vector<std::string>& ids);

// "NAME=value" of all that buildah gets to see: of this process's own variables only PATH and those
// about proxies and certificates.
std::vector<std::string> BuildahEnvironment(const WorkPaths& work,
                                            const std::map<std::string, std::string>& own);

}  // namespace manyarch::worker
