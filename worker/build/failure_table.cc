#include "worker/build/failure_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "worker/core/qemu.h"

namespace manyarch::worker {

namespace {

constexpr v1::FailureClass kUser = v1::FAILURE_CLASS_USER;
constexpr v1::FailureClass kInfrastructure = v1::FAILURE_CLASS_INFRASTRUCTURE;

// The machine's own word, without which a row about a RUN decides nothing: what programs print is
// the user's.
using Fact = bool (*)(const Evidence&);
bool DiskFull(const Evidence& evidence) { return evidence.disk_full; }
bool Emulated(const Evidence& evidence) { return evidence.emulated; }
bool PlatformLost(const Evidence& evidence) { return !evidence.platform_works; }
bool NeverStarted(const Evidence& evidence);

enum class In { kLineStart, kAnywhere };

// Of a RUN that ended with a failure of its own.
struct RunRow {
  Fact fact;
  In in;
  const char* text;  // Lower case, in the output's end.
  v1::FailureClass failure_class;
  const char* advice;
};

constexpr char kQemuCrash[] = "qemu: uncaught target signal";
constexpr char kCrashed[] =
    "the program crashed under qemu; a native worker would tell whether it is the emulator";

// The first row that fits decides.
constexpr RunRow kRunRows[] = {
    {DiskFull, In::kAnywhere, "no space left on device", kInfrastructure,
     "the worker's disk is full"},
    {Emulated, In::kLineStart, kQemuCrash, kInfrastructure, kCrashed},
    {Emulated, In::kLineStart, "qemu: unsupported syscall", kInfrastructure,
     "the emulator lacks a system call"},
    {Emulated, In::kLineStart, "qemu:", kInfrastructure, "the emulator crashed"},
    {Emulated, In::kLineStart, "error:../accel/tcg/", kInfrastructure, "the emulator crashed"},
    {Emulated, In::kLineStart, "error:../../accel/tcg/", kInfrastructure, "the emulator crashed"},
    {PlatformLost, In::kAnywhere, "exec format error", kInfrastructure,
     "the worker has lost its emulator for this platform"},
    // Where buildah's runtime did not come as far as the program.
    {NeverStarted, In::kAnywhere, "error setting rlimit", kInfrastructure,
     "the worker may not set resource limits"},
    {NeverStarted, In::kAnywhere, "runc create failed: unable to start container process: exec:",
     kUser, "the image has no such program"},
    {NeverStarted, In::kAnywhere, "runc create failed", kInfrastructure,
     "runc does not work on the worker"},
    {NeverStarted, In::kAnywhere, "runc: executable file not found", kInfrastructure,
     "install runc"},
};

// Of everything else, by buildah's own error.
struct Row {
  const char* text;  // Lower case; found anywhere in it.
  v1::FailureClass failure_class;
  const char* advice;  // "" where the error says it all.
};

constexpr Row kRows[] = {
    // The machine.
    {"no space left on device", kInfrastructure, "the worker's disk is full"},
    {"disk quota exceeded", kInfrastructure, "the worker's disk quota is used up"},
    {"input/output error", kInfrastructure, "the worker's disk fails"},
    {"cannot allocate memory", kInfrastructure, "the worker is out of memory"},
    {"exec format error", kInfrastructure,
     "the program is not of this platform, or the worker has lost its emulator for it"},
    {"temporary failure in name resolution", kInfrastructure, "the worker cannot resolve names"},
    {"network is unreachable", kInfrastructure, "the worker has no network"},
    {"no route to host", kInfrastructure, "the worker's network is broken"},
    // The registry says no: it will say so again.
    {"manifest unknown", kUser, "no such image: check its name and tag"},
    {"name unknown", kUser, "no such repository: check the name"},
    {"name_unknown", kUser, "no such repository: check the name"},
    {"no image found in manifest list", kUser, "the base image lacks this platform"},
    {"no image found in image index", kUser, "the base image lacks this platform"},
    {"unauthorized", kUser, "check the registry credentials"},
    {"authentication required", kUser, "check the registry credentials"},
    {"access to the resource is denied", kUser, "check the name and the registry credentials"},
    {"denied:", kUser, "check the name and the registry credentials"},
    {"manifest invalid", kUser, "the registry refuses Docker v2s2 images"},
    // The registry or the way to it fails.
    {"toomanyrequests", kInfrastructure, "the registry limits requests"},
    {"too many requests", kInfrastructure, "the registry limits requests"},
    {"server gave http response to https client", kInfrastructure,
     "the registry speaks plain http: start the controller with --plain-http for it"},
    {"connection refused", kInfrastructure, ""},
    {"connection reset", kInfrastructure, ""},
    {"broken pipe", kInfrastructure, ""},
    {"i/o timeout", kInfrastructure, ""},
    {"tls handshake timeout", kInfrastructure, ""},
    {"no such host", kInfrastructure, "check the name and the worker's resolver"},
    {"server misbehaving", kInfrastructure, "the worker's resolver fails"},
    {"unexpected eof", kInfrastructure, ""},
    {"context deadline exceeded", kInfrastructure, ""},
    {"unexpected http status", kInfrastructure, ""},
    {"status code from", kInfrastructure, ""},
    {"x509:", kInfrastructure, "the worker does not trust the registry's certificate"},
    // buildah and its runtime.
    {"rlimit_", kInfrastructure, "the worker may not set resource limits"},
    {"error setting rlimit", kInfrastructure, "the worker may not set resource limits"},
    {"runc create failed", kInfrastructure, "runc does not work on the worker"},
    {"executable file not found", kInfrastructure, "install what is missing on the worker"},
    {"locking ", kInfrastructure, "the worker's image store is in use"},
    {"error creating overlay mount", kInfrastructure, "overlay mounts fail"},
    // The Containerfile.
    {"building at step", kUser, ""},
    {"unknown instruction", kUser, ""},
    {"parse error", kUser, ""},
    {"parsing main", kUser, ""},
    {"invalid reference format", kUser, "the name of an image is malformed"},
    {"no from statement found", kUser, ""},
    {"from requires", kUser, ""},
    {"no contents in", kUser, "the Containerfile is empty"},
    {"the target", kUser, ""},
    {"did not resolve to an alias", kUser, "write the full name of the base image"},
};

// From the last "Error: " at the start of a line to the end, in one line.
std::string ErrorOf(absl::string_view output) {
  constexpr absl::string_view kMark = "Error: ";
  size_t at = absl::StartsWith(output, kMark) ? 0 : absl::string_view::npos;
  if (const size_t later = output.rfind("\nError: "); later != absl::string_view::npos) {
    at = later + 1;
  }
  if (at == absl::string_view::npos) return "";
  std::string error(absl::StripAsciiWhitespace(output.substr(at + kMark.size())));
  for (char& c : error) {
    if (c == '\n') c = ' ';
  }
  return error;
}

// `building at STEP "RUN make": while running runtime: exit status 2`.
bool FailedInRun(absl::string_view error) {
  if (!absl::StrContains(error, "building at STEP \"RUN")) return false;
  constexpr absl::string_view kMark = ": exit status ";
  const size_t at = error.rfind(kMark);
  return at != absl::string_view::npos && at + kMark.size() < error.size() &&
         absl::ascii_isdigit(static_cast<unsigned char>(error[at + kMark.size()]));
}

// What buildah says, right before its error, of a runtime that could not start a RUN's program.
bool NeverStarted(const Evidence& evidence) {
  constexpr absl::string_view kMark = "error running container: ";
  const absl::string_view output = evidence.output;
  const size_t error = output.rfind("\nError: ");
  if (evidence.exit_code != 1 || error == absl::string_view::npos) return false;
  const size_t at = output.rfind(kMark, error);
  if (at == absl::string_view::npos || (at > 0 && output[at - 1] != '\n')) return false;
  // The message may be of two lines, no more.
  const absl::string_view said = output.substr(at, error - at);
  return std::count(said.begin(), said.end(), '\n') <= 2;
}

bool Has(absl::string_view text, In in, absl::string_view what) {
  if (in == In::kAnywhere) return absl::StrContains(text, what);
  return absl::StartsWith(text, what) || absl::StrContains(text, absl::StrCat("\n", what));
}

// ILL, TRAP, ABRT, BUS, FPE, SEGV: what a program also ends with where the emulator errs.
bool IsCrash(int exit_code) { return (exit_code >= 132 && exit_code <= 136) || exit_code == 139; }

// The verdict on a RUN; the advice goes into `advice`.
v1::FailureClass ClassifyRun(const Evidence& evidence, absl::string_view lower_output,
                             std::string& advice, bool& emulator_crash) {
  if (evidence.emulator_stuck && !evidence.foreign_emulator.empty()) {
    const absl::string_view arch = evidence.foreign_emulator;
    advice =
        absl::StrCat("a program for ", arch, ", which this build is not for, crashed under qemu-",
                     QemuName(arch), "; a machine that runs ", arch,
                     " itself would tell whether it is the emulator");
    return kInfrastructure;
  }
  for (const RunRow& row : kRunRows) {
    if (!row.fact(evidence) || !Has(lower_output, row.in, row.text)) continue;
    advice = row.advice;
    emulator_crash = row.fact == Emulated;
    return row.failure_class;
  }
  if (evidence.emulated && (evidence.emulator_stuck || IsCrash(evidence.exit_code))) {
    emulator_crash = true;
    advice = kCrashed;
    return kInfrastructure;
  }
  if (Has(lower_output, In::kLineStart, kQemuCrash)) {
    advice = "by what it says, a program of another platform crashed under qemu";
  } else if (absl::StrContains(lower_output, "exec format error")) {
    advice = "a program is not of this platform";
  }
  return kUser;
}

}  // namespace

Verdict Classify(const Evidence& evidence) {
  const std::string error = ErrorOf(evidence.output);
  const bool in_run = FailedInRun(error);
  Verdict verdict;
  if (in_run) verdict.exit_code = evidence.exit_code;
  const auto decide = [&](v1::FailureClass failure_class, absl::string_view advice) {
    verdict.failure_class = failure_class;
    const std::string what =
        error.empty() ? absl::StrCat("buildah ended with exit code ", evidence.exit_code) : error;
    verdict.message = advice.empty() ? what : absl::StrCat(what, "; ", advice);
    return verdict;
  };

  const bool killed = !evidence.emulator_stuck &&  // That one was killed by the worker.
                      (evidence.exit_code == 137 || absl::StrContains(error, "signal: killed") ||
                       absl::StrContains(error, "exit status 137") ||
                       // What buildah says of a RUN under an OCI runtime; its own exit status is 1.
                       absl::StrContains(evidence.output, "container exited on killed\n"));
  if (killed && evidence.oom_kill && evidence.memory_limit) {
    return decide(kUser, "the kernel killed it because it took more than --memory allows");
  }
  if (killed && evidence.oom_kill) {
    return decide(kInfrastructure,
                  "the kernel killed it for want of memory: give the worker more, or fewer slots");
  }
  if (in_run) {
    std::string advice;
    const v1::FailureClass failure_class = ClassifyRun(
        evidence, absl::AsciiStrToLower(evidence.output), advice, verdict.emulator_crash);
    return decide(failure_class, advice);
  }
  if (error.empty()) {
    return decide(kInfrastructure, evidence.disk_full         ? "the worker's disk is full"
                                   : evidence.exit_code > 128 ? "something on the worker killed it"
                                                              : "");
  }
  const std::string lower_error = absl::AsciiStrToLower(error);
  for (const Row& row : kRows) {
    if (absl::StrContains(lower_error, row.text)) return decide(row.failure_class, row.advice);
  }
  // buildah does not always say so: "io: read/write on closed pipe" is a full disk, too.
  return decide(kInfrastructure, evidence.disk_full ? "the worker's disk is full" : "");
}

std::string WithoutPaths(absl::string_view text, absl::string_view work_dir) {
  const std::string context = absl::StrCat(work_dir, "/context");
  return absl::StrReplaceAll(text, {{absl::StrCat("\"", context, "\""), "the context"},
                                    {absl::StrCat(context, "/"), ""},
                                    {context, "the context"},
                                    {work_dir, "the work directory"}});
}

}  // namespace manyarch::worker
