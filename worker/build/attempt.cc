#include "worker/build/attempt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/digest.h"
#include "common/base/platform.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/os/failpoint.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/build/argv.h"
#include "worker/build/binary_check.h"
#include "worker/build/build_options.h"
#include "worker/build/containerfile.h"
#include "worker/build/emulator_watch.h"
#include "worker/build/failure_table.h"
#include "worker/build/registry_files.h"
#include "worker/build/secret_files.h"
#include "worker/build/stored_image.h"

namespace manyarch::worker {

namespace {

constexpr absl::Duration kDefaultTimeout = absl::Hours(6);
constexpr char kDockerImage[] = "application/vnd.docker.distribution.manifest.v2+json";
constexpr char kOciImage[] = "application/vnd.oci.image.manifest.v1+json";
constexpr int64_t kLargestContainerfile = int64_t{1} << 20;  // Of one outside the context.

absl::Duration TimeoutOf(const v1::Offer& offer) {
  const absl::Duration timeout =
      absl::Seconds(offer.timeout().seconds()) + absl::Nanoseconds(offer.timeout().nanos());
  return timeout > absl::ZeroDuration() ? timeout : kDefaultTimeout;
}

std::string PlatformName(const v1::Platform& p) {
  return ToString(Platform{p.os(), p.arch(), p.variant()});
}

// How many processes the kernel has killed for want of memory since it started, in any cgroup.
int64_t OomKills() {
  const absl::StatusOr<std::string> text = ReadFile("/proc/vmstat");
  if (!text.ok()) return 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    int64_t count = 0;
    if (absl::ConsumePrefix(&line, "oom_kill ") && absl::SimpleAtoi(line, &count)) return count;
  }
  return 0;
}

// Whether next to nothing can be written any more where `path` is.
bool DiskIsFull(const std::string& path) {
  constexpr uint64_t kNothing = uint64_t{64} << 20;
  struct statvfs disk = {};
  if (statvfs(path.c_str(), &disk) != 0) return false;
  const bool no_inodes = disk.f_files > 0 && disk.f_favail == 0;
  return no_inodes || uint64_t{disk.f_bavail} * disk.f_frsize < kNothing;
}

// A token that is stopped with `stop`, or at the deadline.
class StopAtDeadline {
 public:
  StopAtDeadline(const StopToken& stop, absl::Time deadline)
      : over_(eventfd(0, EFD_CLOEXEC)), thread_([this, &stop, deadline] {
          pollfd fds[] = {{stop.fd(), POLLIN, 0}, {over_.get(), POLLIN, 0}};
          for (absl::Duration left; (left = deadline - absl::Now()) > absl::ZeroDuration();) {
            const auto wait = absl::ToInt64Milliseconds(std::min(left, absl::Hours(1))) + 1;
            if (poll(fds, 2, static_cast<int>(wait)) > 0) break;
          }
          if (fds[1].revents != 0) return;
          token_.Stop(stop.stopped() ? stop.reason() : "it took too long");
        }) {}
  ~StopAtDeadline() {
    eventfd_write(over_.get(), 1);
    thread_.join();
  }
  StopAtDeadline(const StopAtDeadline&) = delete;
  StopAtDeadline& operator=(const StopAtDeadline&) = delete;

  const StopToken& token() const { return token_; }

 private:
  StopToken token_;
  const UniqueFd over_;
  std::thread thread_;
};

}  // namespace

Attempt::Attempt(const v1::Offer& offer, const AttemptTools& tools, const StorePaths& store,
                 WorkPaths work, std::string cgroup, AttemptObserver& observer,
                 const StopToken& stop)
    : offer_(offer),
      tools_(tools),
      store_(store),
      work_(std::move(work)),
      cgroup_(std::move(cgroup)),
      observer_(observer),
      stop_(stop),
      timeout_(TimeoutOf(offer)),
      deadline_(absl::Now() + timeout_) {
  result_.set_attempt_id(offer.attempt_id());
}

v1::Finished Attempt::Run() {
  if (Prepare() && Fetch() && Build() && Inspect()) Push();
  // Whatever else it may have come to: who stopped it expects nothing of it.
  if (stop_.stopped() && !result_.has_image()) result_.mutable_cancelled();
  return std::move(result_);
}

bool Attempt::Fail(v1::FailureClass failure_class, absl::string_view message, int exit_code) {
  v1::Failure& failure = *result_.mutable_failure();
  failure.set_class_(failure_class);
  failure.set_message(ToUtf8(
      absl::StrCat(PlatformName(offer_.platform()), ": ", WithoutPaths(message, work_.dir))));
  failure.set_exit_code(exit_code);
  failure.set_step(tail_.last_step());
  for (const std::string& line : tail_.LastLines()) {
    failure.add_last_lines(WithoutPaths(line, work_.dir));
  }
  return false;
}

bool Attempt::Fail(const absl::Status& status) {
  return Fail(
      absl::IsInvalidArgument(status) ? v1::FAILURE_CLASS_USER : v1::FAILURE_CLASS_INFRASTRUCTURE,
      std::string(status.message()));
}

bool Attempt::Prepare() {
  const absl::Status status = [&]() -> absl::Status {
    MA_RETURN_IF_ERROR(CheckBuildOptions(offer_, tools_.buildah));
    MA_RETURN_IF_ERROR(MakeDirs(work_.dir, 0700));
    for (const std::string& dir :
         {work_.tmp(), work_.runtime(), work_.context(), store_.root, store_.runroot}) {
      MA_RETURN_IF_ERROR(MakeDirs(dir, 0700));
    }
    MA_RETURN_IF_ERROR(WriteFileAtomic(work_.ignorefile(), ""));
    MA_RETURN_IF_ERROR(WriteSecretFiles(offer_, work_));
    return WriteRegistryFiles(offer_.registry(), work_);
  }();
  return status.ok() || Fail(Annotate(status, "preparing the build"));
}

bool Attempt::Fetch() {
  observer_.OnState(v1::ATTEMPT_STATE_FETCHING);
  const StopAtDeadline stop(stop_, deadline_);
  const absl::Status status = FetchAll(stop.token());
  if (status.ok()) return true;
  if (stop.token().stopped() && !stop_.stopped()) {
    return Fail(v1::FAILURE_CLASS_TIMEOUT,
                absl::StrCat("fetching the context was stopped after ",
                             absl::FormatDuration(timeout_), "; allow it more time"));
  }
  return Fail(status);
}

absl::Status Attempt::FetchAll(const StopToken& stop) {
  const absl::StatusOr<Digest> root = Digest::Parse(offer_.context_root());
  if (!root.ok()) return absl::InternalError("the offer names no context");
  MA_RETURN_IF_ERROR(tools_.contexts.Materialise(*root, work_.context(), stop));
  const v1::BuildOptions& options = offer_.options();
  for (int i = 0; i < options.contexts_size(); ++i) {
    const v1::NamedContext& context = options.contexts(i);
    if (context.has_image()) continue;
    const std::string what = absl::StrCat("the context named '", context.name(), "'");
    const absl::StatusOr<Digest> named = Digest::Parse(context.root());
    if (!named.ok()) return absl::InternalError(absl::StrCat("the offer lacks ", what));
    const std::string dir = work_.named_context(i);
    MA_RETURN_IF_ERROR(MakeDirs(dir, 0700));
    MA_RETURN_IF_ERROR(Annotate(tools_.contexts.Materialise(*named, dir, stop), what));
    MA_RETURN_IF_ERROR(Annotate(CheckIgnoreFiles(dir), what));
  }
  return FindContainerfile(stop);
}

absl::Status Attempt::FindContainerfile(const StopToken& stop) {
  const v1::BuildOptions& options = offer_.options();
  if (options.containerfile_digest().empty()) {
    MA_ASSIGN_OR_RETURN(containerfile_,
                        worker::FindContainerfile(work_.context(), options.containerfile()));
    return absl::OkStatus();
  }
  MA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(options.containerfile_digest()));
  const absl::StatusOr<std::string> text =
      tools_.contexts.Read(digest, kLargestContainerfile, stop);
  MA_RETURN_IF_ERROR(Annotate(text.status(), "fetching the Containerfile"));
  containerfile_ = work_.containerfile();
  return WriteFileAtomic(containerfile_, *text);
}

bool Attempt::Build() {
  observer_.OnState(v1::ATTEMPT_STATE_BUILDING);
  BuildRequest request;
  request.buildah = tools_.buildah;
  request.store = store_;
  request.work = work_;
  request.cgroup_parent = "/" + cgroup_;
  request.platform = offer_.platform();
  request.format = offer_.format();
  request.options = offer_.options();
  request.containerfile = containerfile_;
  for (const std::string& warning : OptionWarnings(offer_.options(), tools_.buildah)) {
    Warn(warning);
  }
  if (!RunBuildah(BuildArgv(request), /*pushing=*/false)) return false;
  const std::string unused = UnusedBuildArgs(tail_.LastLines(), offer_.options());
  if (!unused.empty()) Warn(unused);
  const absl::StatusOr<std::string> id = ReadFile(work_.iidfile());
  if (!id.ok()) return Fail(Annotate(id.status(), "looking for the image that buildah has built"));
  image_id_ = std::string(absl::StripPrefix(absl::StripAsciiWhitespace(*id), "sha256:"));
  return true;
}

std::set<std::string> Attempt::UsedImages() const {
  std::set<std::string> images = tail_.cached_images();
  if (!image_id_.empty()) images.insert(image_id_);
  return images;
}

bool Attempt::Inspect() {
  if (offer_.binary_check() == v1::BINARY_CHECK_OFF) return true;
  const bool strict = offer_.binary_check() == v1::BINARY_CHECK_STRICT;
  const v1::Platform& p = offer_.platform();
  const Platform platform{p.os(), p.arch(), p.variant()};
  const absl::StatusOr<BinaryFindings> found = [&]() -> absl::StatusOr<BinaryFindings> {
    std::vector<std::string> caches;
    for (const auto* list : {&offer_.options().cache_from(), &offer_.options().cache_to()}) {
      for (const std::string& repository : *list) caches.push_back(CacheRepository(repository, p));
    }
    MA_ASSIGN_OR_RETURN(const StoredImage image, ReadStoredImage(store_.root, image_id_, caches));
    return CheckBinaries(image, platform);
  }();
  if (!found.ok()) {
    const absl::Status status =
        Annotate(found.status(), "looking for programs of another architecture in the image");
    if (strict) return Fail(v1::FAILURE_CLASS_INFRASTRUCTURE, std::string(status.message()));
    Warn(std::string(status.message()));
    return true;
  }
  const std::string wrong = Describe(*found, platform);
  if (!wrong.empty() && strict) {
    return Fail(v1::FAILURE_CLASS_USER,
                absl::StrCat(wrong,
                             "; correct what the Containerfile puts there, or build with "
                             "--check-binaries warn"));
  }
  if (!wrong.empty()) Warn(wrong);
  if (!found->cut_short.empty()) {
    Warn(absl::StrCat("not all of the image's programs were looked at: ", found->cut_short));
  }
  return true;
}

void Attempt::Warn(absl::string_view message) {
  const std::string text = ToUtf8(WithoutPaths(message, work_.dir));
  result_.add_warnings(text);
  observer_.OnOutput(absl::StrCat("manyarch: warning: ", text, "\n"));
}

bool Attempt::Push() {
  observer_.OnState(v1::ATTEMPT_STATE_PUSHING);
  MANYARCH_FAILPOINT("worker/before-push");
  PushRequest request;
  request.buildah = tools_.buildah;
  request.store = store_;
  request.work = work_;
  request.format = offer_.format();
  request.image_id = image_id_;
  request.repository = offer_.repository();
  request.attempt_id = offer_.attempt_id();
  if (!RunBuildah(PushArgv(request), /*pushing=*/true)) return false;
  MANYARCH_FAILPOINT("worker/after-push");
  const absl::StatusOr<std::string> text = ReadFile(work_.digestfile());
  if (!text.ok())
    return Fail(Annotate(text.status(), "looking for the digest of the pushed image"));
  const absl::StatusOr<Digest> digest = Digest::Parse(absl::StripAsciiWhitespace(*text));
  if (!digest.ok()) {
    return Fail(v1::FAILURE_CLASS_INFRASTRUCTURE,
                absl::StrCat("buildah push gave no digest: ", digest.status().message()));
  }
  v1::Image& image = *result_.mutable_image();
  image.set_repository(offer_.repository());
  image.set_digest(digest->ToString());
  // buildah does not tell the size: the controller knows it once it has verified the image.
  image.set_media_type(offer_.format() == v1::IMAGE_FORMAT_OCI ? kOciImage : kDockerImage);
  return true;
}

bool Attempt::RunBuildah(const std::vector<std::string>& argv, bool pushing) {
  Command command;
  command.argv = argv;
  command.cwd = work_.dir;
  command.env = BuildahEnvironment(work_, OwnEnvironment());
  command.own_namespaces = true;
  RunOptions options;
  bool disk_full = false;
  options.on_output = [&](absl::string_view bytes) {
    tail_.Add(bytes);
    // Now, because buildah frees what a failed step has written.
    disk_full = disk_full || DiskIsFull(store_.root) || DiskIsFull(work_.tmp());
    observer_.OnOutput(bytes);
  };
  options.timeout = deadline_ - absl::Now();
  options.stop = &stop_;
  options.grace = absl::Milliseconds(500);
  const int64_t oom_kills = OomKills();
  std::optional<EmulatorWatch> emulator;
  // A native build may have stages of other platforms.
  if (!pushing) emulator.emplace(cgroup_, offer_.emulated() ? Watched::kAll : Watched::kQemus);
  const absl::StatusOr<RunResult> run = RunCommand(command, options);
  const CrashedEmulator crashed = emulator.has_value() ? emulator->Stop() : CrashedEmulator();
  if (!run.ok()) return Fail(run.status());
  if (run->ok()) return true;
  if (run->timed_out) {
    const std::string& step = tail_.last_step();
    return Fail(v1::FAILURE_CLASS_TIMEOUT,
                absl::StrCat(pushing ? "pushing" : "building", " was stopped after ",
                             absl::FormatDuration(timeout_), step.empty() ? "" : ", in ", step,
                             "; allow it more time, or use a native worker where it was emulated"));
  }
  Evidence evidence;
  evidence.stage = pushing ? Stage::kPush : Stage::kBuild;
  evidence.exit_code = run->exit.code;
  evidence.output = tail_.Text();
  evidence.last_step = tail_.last_step();
  evidence.oom_kill = OomKills() > oom_kills;
  evidence.memory_limit = offer_.options().memory_bytes() > 0;
  evidence.disk_full = disk_full;
  evidence.emulated = offer_.emulated();
  evidence.emulator_stuck = crashed.signal != 0;
  if (crashed.arch != offer_.platform().arch()) evidence.foreign_emulator = crashed.arch;
  if (tools_.platform_works &&
      absl::StrContains(absl::AsciiStrToLower(evidence.output), "exec format error")) {
    const v1::Platform& p = offer_.platform();
    evidence.platform_works =
        tools_.platform_works({p.os(), p.arch(), p.variant()}, work_.dir + "/probe");
  }
  const Verdict verdict = Classify(evidence);
  result_.mutable_failure()->set_emulator_crash(verdict.emulator_crash);
  return Fail(verdict.failure_class, verdict.message, verdict.exit_code);
}

}  // namespace manyarch::worker
