#include "worker/build/failure_table.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace manyarch::worker {

namespace {

constexpr v1::FailureClass kUser = v1::FAILURE_CLASS_USER;
constexpr v1::FailureClass kInfrastructure = v1::FAILURE_CLASS_INFRASTRUCTURE;

// Where a row looks: in all of the output's end (what programs of a RUN said is there), or only in
// what buildah itself gave as its error.
enum class In { kOutput, kError };

struct Row {
  In in;
  const char* text;  // Lower case; found anywhere.
  v1::FailureClass failure_class;
  const char* advice;  // "" where the error says it all.
};

// The first row that fits decides. Rows in kOutput are few and unmistakable: what a build prints is
// the user's.
constexpr Row kRows[] = {
    // The machine.
    {In::kOutput, "no space left on device", kInfrastructure, "the worker's disk is full"},
    {In::kOutput, "disk quota exceeded", kInfrastructure, "the worker's disk quota is used up"},
    {In::kOutput, "input/output error", kInfrastructure, "the worker's disk fails"},
    {In::kOutput, "cannot allocate memory", kInfrastructure, "the worker is out of memory"},
    {In::kOutput, "qemu: uncaught target signal", kInfrastructure,
     "the program crashed under qemu; a native worker would tell whether it is the emulator"},
    {In::kOutput, "qemu: fatal", kInfrastructure, "the emulator crashed"},
    {In::kOutput, "qemu: unsupported syscall", kInfrastructure, "the emulator lacks a system call"},
    {In::kOutput, "exec format error", kInfrastructure,
     "the program is not of this platform, or the worker has lost its emulator for it"},
    // The network, as RUN programs tell it.
    {In::kOutput, "temporary failure resolving", kInfrastructure,
     "the worker cannot resolve names"},
    {In::kOutput, "temporary failure in name resolution", kInfrastructure,
     "the worker cannot resolve names"},
    {In::kOutput, "network is unreachable", kInfrastructure, "the worker has no network"},
    {In::kOutput, "no route to host", kInfrastructure, "the worker's network is broken"},
    // The registry says no: it will say so again.
    {In::kError, "manifest unknown", kUser, "no such image: check its name and tag"},
    {In::kError, "name unknown", kUser, "no such repository: check the name"},
    {In::kError, "name_unknown", kUser, "no such repository: check the name"},
    {In::kError, "no image found in manifest list", kUser, "the base image lacks this platform"},
    {In::kError, "no image found in image index", kUser, "the base image lacks this platform"},
    {In::kError, "unauthorized", kUser, "check the registry credentials"},
    {In::kError, "authentication required", kUser, "check the registry credentials"},
    {In::kError, "access to the resource is denied", kUser,
     "check the name and the registry credentials"},
    {In::kError, "denied:", kUser, "check the name and the registry credentials"},
    {In::kError, "manifest invalid", kUser, "the registry refuses Docker v2s2 images"},
    // The registry or the way to it fails.
    {In::kError, "toomanyrequests", kInfrastructure, "the registry limits requests"},
    {In::kError, "too many requests", kInfrastructure, "the registry limits requests"},
    {In::kError, "server gave http response to https client", kInfrastructure,
     "the registry speaks plain http: start the controller with --plain-http for it"},
    {In::kError, "connection refused", kInfrastructure, ""},
    {In::kError, "connection reset", kInfrastructure, ""},
    {In::kError, "broken pipe", kInfrastructure, ""},
    {In::kError, "i/o timeout", kInfrastructure, ""},
    {In::kError, "tls handshake timeout", kInfrastructure, ""},
    {In::kError, "no such host", kInfrastructure, "check the name and the worker's resolver"},
    {In::kError, "server misbehaving", kInfrastructure, "the worker's resolver fails"},
    {In::kError, "unexpected eof", kInfrastructure, ""},
    {In::kError, "context deadline exceeded", kInfrastructure, ""},
    {In::kError, "unexpected http status", kInfrastructure, ""},
    {In::kError, "status code from", kInfrastructure, ""},
    {In::kError, "x509:", kInfrastructure, "the worker does not trust the registry's certificate"},
    // buildah and its runtime.
    {In::kError, "rlimit_", kInfrastructure, "the worker may not set resource limits"},
    {In::kOutput, "error setting rlimit", kInfrastructure,
     "the worker may not set resource limits"},
    {In::kOutput, "runc create failed: unable to start container process: exec:", kUser,
     "the image has no such program"},
    {In::kOutput, "runc create failed", kInfrastructure, "runc does not work on the worker"},
    {In::kOutput, "runc: executable file not found", kInfrastructure, "install runc"},
    {In::kError, "locking ", kInfrastructure, "the worker's image store is in use"},
    {In::kError, "error creating overlay mount", kInfrastructure, "overlay mounts fail"},
    // The Containerfile.
    {In::kError, "building at step", kUser, ""},
    {In::kError, "unknown instruction", kUser, ""},
    {In::kError, "parse error", kUser, ""},
    {In::kError, "parsing main", kUser, ""},
    {In::kError, "invalid reference format", kUser, "the name of an image is malformed"},
    {In::kError, "no from statement found", kUser, ""},
    {In::kError, "from requires", kUser, ""},
    {In::kError, "no contents in", kUser, "the Containerfile is empty"},
    {In::kError, "the target", kUser, ""},
    {In::kError, "did not resolve to an alias", kUser, "write the full name of the base image"},
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

bool FailedInRun(absl::string_view error) {
  return absl::StrContains(error, "building at STEP \"RUN") &&
         absl::StrContains(error, "exit status ");
}

}  // namespace

Verdict Classify(const Evidence& evidence) {
  const std::string error = ErrorOf(evidence.output);
  const std::string lower_error = absl::AsciiStrToLower(error);
  const std::string lower_output = absl::AsciiStrToLower(evidence.output);
  Verdict verdict;
  if (FailedInRun(error)) verdict.exit_code = evidence.exit_code;
  const auto decide = [&](v1::FailureClass failure_class, absl::string_view advice) {
    verdict.failure_class = failure_class;
    const std::string what =
        error.empty() ? absl::StrCat("buildah ended with exit code ", evidence.exit_code) : error;
    verdict.message = advice.empty() ? what : absl::StrCat(what, "; ", advice);
    return verdict;
  };

  const bool killed = evidence.exit_code == 137 || absl::StrContains(error, "signal: killed") ||
                      absl::StrContains(error, "exit status 137");
  if (killed && evidence.oom_kill) {
    return decide(kInfrastructure,
                  "the kernel killed it for want of memory: give the worker more, or fewer slots");
  }
  if (error.empty() && evidence.exit_code > 128) {
    return decide(kInfrastructure, "something on the worker killed it");
  }
  for (const Row& row : kRows) {
    const std::string& text = row.in == In::kOutput ? lower_output : lower_error;
    if (absl::StrContains(text, row.text)) return decide(row.failure_class, row.advice);
  }
  return decide(kInfrastructure, "");
}

}  // namespace manyarch::worker
