// LocateContext: where the context, its Containerfile and its ignore file are.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/context/walk.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::cli {

namespace {

absl::StatusOr<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
  if (real == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(QuotedPath(path), ": ", strerror(errno)));
  }
  return std::string(real.get());
}

bool IsFile(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// The path without its last component: "a/b" → "a", "b" → ".".
std::string Parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// `path` relative to `directory` (both absolute); empty when it is not below it.
std::string Below(const std::string& path, const std::string& directory) {
  const std::string prefix = directory == "/" ? "/" : absl::StrCat(directory, "/");
  return absl::StartsWith(path, prefix) ? path.substr(prefix.size()) : "";
}

absl::StatusOr<std::string> FindDirectory(absl::string_view context) {
  const std::string given(context);
  if (given == "-") {
    return absl::InvalidArgumentError(
        "a context from standard input ('-') is not supported yet: give a directory");
  }
  struct stat info {};
  if (stat(given.c_str(), &info) != 0) {
    if (absl::StrContains(given, "://") || absl::StartsWith(given, "git@")) {
      return absl::InvalidArgumentError(
          absl::StrCat("a context from a URL (", QuotedPath(given),
                       ") is not supported yet: clone or download it and give the directory"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("cannot use ", QuotedPath(given), " as the context: ", strerror(errno)));
  }
  if (!S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot use ", QuotedPath(given),
        " as the context: it is not a directory. Give the directory that holds the files to "
        "build; name the Containerfile with --file."));
  }
  return RealPath(given);
}

// Whether a worker could not follow the link at `path`, where the context lies elsewhere. False for
// what is no link.
bool LeadsOut(const std::string& path, const std::string& directory) {
  std::string target(PATH_MAX, '\0');
  const ssize_t n = readlink(path.c_str(), target.data(), target.size());
  if (n < 0) return false;
  const absl::StatusOr<std::string> real = RealPath(path);
  return target[0] == '/' || !real.ok() || Below(*real, directory).empty();
}

// Whether there is nothing but comments and white space in it.
bool SaysNothing(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty() && line[0] != '#') return false;
  }
  return true;
}

// Adds the Containerfile's own path and, where that is a link, what it points to.
absl::Status UseContainerfile(const std::string& path, ContextPlace& place) {
  MA_ASSIGN_OR_RETURN(const std::string parent, RealPath(Parent(path)));
  const std::string itself =
      absl::StrCat(parent == "/" ? "" : parent, "/", path.substr(path.rfind('/') + 1));
  MA_ASSIGN_OR_RETURN(const std::string real, RealPath(path));
  place.containerfile = Below(itself, place.directory);
  const std::string resolved = Below(real, place.directory);
  if (place.containerfile.empty() || resolved.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the Containerfile ", QuotedPath(path), " is outside the context ",
        QuotedPath(place.directory), ": this is not supported yet. Move it into the context."));
  }
  if (LeadsOut(itself, place.directory)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the Containerfile ", QuotedPath(path),
        " is a link with an absolute path, which leads nowhere on a worker: make it relative"));
  }
  const absl::StatusOr<std::string> text = ReadFile(real);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot read the Containerfile ", QuotedPath(path), ": ", text.status().message()));
  }
  if (SaysNothing(*text)) {
    return absl::InvalidArgumentError(absl::StrCat("the Containerfile ", QuotedPath(path),
                                                   " is empty: it must at least have a FROM"));
  }
  place.always.push_back(place.containerfile);
  if (resolved != place.containerfile) place.always.push_back(resolved);
  return absl::OkStatus();
}

absl::Status FindContainerfile(absl::string_view file, ContextPlace& place) {
  if (file == "-") {
    return absl::InvalidArgumentError(
        "a Containerfile from standard input (--file -) is not supported yet: give a file in the "
        "context");
  }
  if (!file.empty()) {
    const std::string given(file);
    const std::string inside = absl::StrCat(place.directory, "/", file);
    if (IsFile(given)) {
      // Two files may be meant by a relative name; the one in the context wins where the other is
      // not.
      if (!absl::StartsWith(given, "/") && IsFile(inside)) {
        auto real = RealPath(given);
        if (real.ok() && Below(*real, place.directory).empty()) {
          return UseContainerfile(inside, place);
        }
      }
      return UseContainerfile(given, place);
    }
    if (!absl::StartsWith(given, "/") && IsFile(inside)) return UseContainerfile(inside, place);
    return absl::InvalidArgumentError(absl::StrCat("there is no Containerfile ", QuotedPath(given),
                                                   ", neither here nor in the context ",
                                                   QuotedPath(place.directory)));
  }
  for (const char* name : {"Containerfile", "Dockerfile"}) {
    const std::string path = absl::StrCat(place.directory, "/", name);
    if (IsFile(path)) return UseContainerfile(path, place);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no Containerfile and no Dockerfile in ", QuotedPath(place.directory),
                   ": write one, or name another file of the context with --file"));
}

}  // namespace

absl::StatusOr<ContextPlace> LocateContext(absl::string_view context, absl::string_view file) {
  ContextPlace place;
  MA_ASSIGN_OR_RETURN(place.directory, FindDirectory(context));
  MA_RETURN_IF_ERROR(FindContainerfile(file, place));
  for (const std::string& name :
       {std::string(".containerignore"), std::string(".dockerignore"),
        place.containerfile + ".containerignore", place.containerfile + ".dockerignore"}) {
    const std::string path = absl::StrCat(place.directory, "/", name);
    if (!LeadsOut(path, place.directory)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the ignore file ", QuotedPath(path),
                     " is a link that leads out of the context: put the file itself there"));
  }
  for (const char* name : {".containerignore", ".dockerignore"}) {
    const std::string path = absl::StrCat(place.directory, "/", name);
    if (!IsFile(path)) continue;
    const absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot read ", QuotedPath(path), ": ", text.status().message()));
    }
    MA_ASSIGN_OR_RETURN(place.rules, IgnoreRules::Parse(*text, QuotedPath(path)));
    place.always.emplace_back(name);
    MA_ASSIGN_OR_RETURN(const std::string real, RealPath(path));
    if (const std::string resolved = Below(real, place.directory); resolved != name) {
      place.always.push_back(resolved);
    }
    break;
  }
  return place;
}

}  // namespace manyarch::cli
