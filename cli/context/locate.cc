// LocateContext: where the context, its Containerfile and its ignore file are.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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
  struct stat info {};
  if (stat(given.c_str(), &info) != 0) {
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

// A Containerfile that was found: its path as it was named, and whether the user named it.
struct Found {
  std::string path;
  bool named = false;
};

absl::StatusOr<Found> FindContainerfile(absl::string_view file, const std::string& directory,
                                        Origin origin) {
  if (!file.empty()) {
    const std::string given(file);
    const std::string inside = absl::StrCat(directory, "/", file);
    const bool relative = !absl::StartsWith(given, "/");
    if (origin == Origin::kForeign) {
      if (relative && IsFile(inside)) return Found{inside, true};
      return absl::InvalidArgumentError(
          absl::StrCat("there is no Containerfile ", QuotedPath(given), " in the context"));
    }
    if (IsFile(given)) {
      // Two files may be meant by a relative name; the one in the context wins where the other is
      // not.
      if (relative && IsFile(inside)) {
        auto real = RealPath(given);
        if (real.ok() && Below(*real, directory).empty()) return Found{inside, true};
      }
      return Found{given, true};
    }
    if (relative && IsFile(inside)) return Found{inside, true};
    return absl::InvalidArgumentError(absl::StrCat("there is no Containerfile ", QuotedPath(given),
                                                   ", neither here nor in the context ",
                                                   QuotedPath(directory)));
  }
  for (const char* name : {"Containerfile", "Dockerfile"}) {
    std::string path = absl::StrCat(directory, "/", name);
    if (IsFile(path)) return Found{std::move(path), false};
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no Containerfile and no Dockerfile in ",
                                                 QuotedPath(directory),
                                                 ": write one, or name another file with --file"));
}

// The first of these ignore files that is there.
absl::StatusOr<IgnoreRules> ReadRules(const std::vector<std::string>& paths,
                                      const std::string& directory) {
  for (const std::string& path : paths) {
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0) continue;
    if (absl::StartsWith(path, absl::StrCat(directory, "/")) && LeadsOut(path, directory)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ignore file ", QuotedPath(path),
                       " is a link that leads out of the context: put the file itself there"));
    }
    if (!IsFile(path)) continue;
    const absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot read ", QuotedPath(path), ": ", text.status().message()));
    }
    return IgnoreRules::Parse(*text, QuotedPath(path));
  }
  return IgnoreRules();
}

// Whether a worker finds the same file at this path below the context.
bool IsPlainlyInside(const std::string& path, const std::string& itself,
                     const ContextPlace& place) {
  struct stat info {};
  // A path on the wire is text.
  const bool ascii = std::all_of(path.begin(), path.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return !path.empty() && ascii && lstat(itself.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         !place.rules.Ignores(path);
}

absl::Status UseContainerfile(const Found& found, Origin origin, ContextPlace& place) {
  const std::string& path = found.path;
  MA_ASSIGN_OR_RETURN(const std::string parent, RealPath(Parent(path)));
  const std::string itself =
      absl::StrCat(parent == "/" ? "" : parent, "/", path.substr(path.rfind('/') + 1));
  MA_ASSIGN_OR_RETURN(const std::string real, RealPath(path));
  if ((origin == Origin::kForeign || !found.named) && Below(real, place.directory).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the Containerfile ", QuotedPath(path), " is a link that leads out of ",
        QuotedPath(place.directory), ": put the file itself there, or name it with --file"));
  }
  if (absl::EndsWith(path, ".in")) {
    return absl::InvalidArgumentError(
        absl::StrCat("the Containerfile ", QuotedPath(path),
                     " ends in .in, so buildah would run it through the C preprocessor, which is "
                     "not supported: preprocess it, or give it another name"));
  }
  const absl::StatusOr<std::string> text = ReadFile(real);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot read the Containerfile ", QuotedPath(path), ": ", text.status().message()));
  }
  MA_RETURN_IF_ERROR(CheckContainerfileText(*text, QuotedPath(path)));
  MA_ASSIGN_OR_RETURN(place.rules, ReadRules({itself + ".containerignore", itself + ".dockerignore",
                                              place.directory + "/.containerignore",
                                              place.directory + "/.dockerignore"},
                                             place.directory));
  const std::string below = Below(itself, place.directory);
  if (IsPlainlyInside(below, itself, place)) {
    place.containerfile = below;
  } else {
    place.containerfile_text = *text;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckContainerfileText(absl::string_view text, absl::string_view name) {
  if (SaysNothing(text)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the Containerfile ", name, " is empty: it must at least have a FROM"));
  }
  if (text.size() > kLargestContainerfile) {
    return absl::InvalidArgumentError(absl::StrCat("the Containerfile ", name, " has ", text.size(),
                                                   " bytes; at most ", kLargestContainerfile,
                                                   " are taken"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ContextPlace> LocateContext(absl::string_view context, absl::string_view file,
                                           Origin origin) {
  ContextPlace place;
  MA_ASSIGN_OR_RETURN(place.directory, FindDirectory(context));
  MA_ASSIGN_OR_RETURN(const Found found, FindContainerfile(file, place.directory, origin));
  MA_RETURN_IF_ERROR(UseContainerfile(found, origin, place));
  return place;
}

absl::StatusOr<ContextPlace> LocateDirectory(absl::string_view directory) {
  ContextPlace place;
  MA_ASSIGN_OR_RETURN(place.directory, FindDirectory(directory));
  MA_ASSIGN_OR_RETURN(place.rules, ReadRules({place.directory + "/.containerignore",
                                              place.directory + "/.dockerignore"},
                                             place.directory));
  return place;
}

}  // namespace manyarch::cli
