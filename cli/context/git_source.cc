#include "cli/context/git_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/context/walk.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"

namespace manyarch::cli {

namespace {

constexpr absl::Duration kLookUpTime = absl::Minutes(2);
constexpr absl::Duration kFetchTime = absl::Minutes(30);

bool IsCommitId(absl::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c)) &&
                  !absl::ascii_isupper(static_cast<unsigned char>(c));
         });
}

// As git-check-ref-format has it, and more narrowly.
bool IsRef(absl::string_view ref) {
  return !absl::StartsWith(ref, "-") && !absl::StartsWith(ref, "/") && !absl::EndsWith(ref, "/") &&
         !absl::StrContains(ref, "..") && !absl::StrContains(ref, "@{") &&
         !absl::StrContains(ref, "//") && !absl::EndsWith(ref, ".lock") &&
         std::none_of(ref.begin(), ref.end(), [](char c) {
           return static_cast<unsigned char>(c) <= ' ' || c == 0x7f ||
                  absl::string_view("~^:?*[\\").find(c) != absl::string_view::npos;
         });
}

bool IsBelow(absl::string_view directory) {
  if (absl::StartsWith(directory, "/")) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(directory, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

// Variables that would have git work on another repository than the one it is told: they are set
// where this runs from a hook.
const std::set<std::string>& RepositoryVariables() {
  static const auto* const names = new std::set<std::string>{
      "GIT_DIR",       "GIT_WORK_TREE", "GIT_INDEX_FILE",   "GIT_OBJECT_DIRECTORY",
      "GIT_NAMESPACE", "GIT_PREFIX",    "GIT_SHALLOW_FILE", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
      "GIT_COMMON_DIR"};
  return *names;
}

std::vector<std::string> GitEnvironment() {
  std::vector<std::string> env = {
      "GIT_TERMINAL_PROMPT=0",
      // No transport that runs a command of the URL's choosing, also after url.insteadOf.
      "GIT_ALLOW_PROTOCOL=https:http:ssh:git:file",
      // ssh asks nobody, because nobody could answer: git runs in a process group of its own.
      "SSH_ASKPASS_REQUIRE=force",
      "LC_ALL=C",
  };
  bool askpass = false;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string variable = *entry;
    const std::string name = variable.substr(0, variable.find('='));
    if (RepositoryVariables().count(name) > 0 || name == "GIT_TERMINAL_PROMPT" ||
        name == "GIT_ALLOW_PROTOCOL" || name == "SSH_ASKPASS_REQUIRE" || name == "LC_ALL") {
      continue;
    }
    askpass = askpass || name == "SSH_ASKPASS";
    env.push_back(variable);
  }
  if (!askpass) env.emplace_back("SSH_ASKPASS=/bin/false");
  return env;
}

// Runs git on one fresh repository.
class Git {
 public:
  Git(const GitUrl& url, const std::string& repository, const StopToken* stop)
      : url_(url), repository_(repository), stop_(stop) {}

  absl::StatusOr<std::string> Run(absl::Duration timeout, std::vector<std::string> args) const {
    Command command;
    command.argv = {"git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c",
                    "submodule.recurse=false", "-c", "fetch.recurseSubmodules=false", "-c",
                    "protocol.ext.allow=never",
                    // The same files on every machine.
                    "-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.symlinks=true",
                    "-c", "core.fileMode=true", "-c", "gc.auto=0", "-c",
                    "advice.detachedHead=false"};
    std::move(args.begin(), args.end(), std::back_inserter(command.argv));
    command.env = GitEnvironment();
    command.cwd = repository_;
    RunOptions options;
    options.timeout = timeout;
    options.stop = stop_;
    options.grace = absl::Milliseconds(200);  // Nothing of it is kept.
    MA_ASSIGN_OR_RETURN(RunResult result, RunCommand(command, options));
    if (result.ok()) return std::move(result.out);
    if (result.stopped) return absl::CancelledError("it was stopped");
    std::string said(absl::StripAsciiWhitespace(result.err));
    if (result.timed_out) said = absl::StrCat("gave up after ", absl::FormatDuration(timeout));
    return absl::InvalidArgumentError(
        absl::StrReplaceAll(said, {{url_.url, url_.Shown()}, {"\n", "; "}}));
  }

 private:
  const GitUrl& url_;
  const std::string& repository_;
  const StopToken* const stop_;
};

struct Tip {
  std::string commit;
  std::string ref;  // Full name; "HEAD", or empty for a commit id.
};

// What the user's word for a ref means at the remote.
absl::StatusOr<Tip> Resolve(const Git& git, const GitUrl& url) {
  if (IsCommitId(url.ref)) return Tip{url.ref, ""};
  const std::string wanted = url.ref.empty() ? "HEAD" : url.ref;
  MA_ASSIGN_OR_RETURN(
      const std::string out,
      git.Run(kLookUpTime, {"ls-remote", "--", url.url, wanted, absl::StrCat(wanted, "^{}")}));
  Tip tip;
  for (const absl::string_view line : absl::StrSplit(out, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> fields =
        absl::StrSplit(line, absl::MaxSplits('\t', 1));
    const auto& [id, listed] = fields;
    const std::string ref(absl::StripSuffix(listed, "^{}"));
    if (ref != wanted && ref != absl::StrCat("refs/heads/", wanted) &&
        ref != absl::StrCat("refs/tags/", wanted) && ref != absl::StrCat("refs/", wanted)) {
      continue;
    }
    if (!IsCommitId(id)) return absl::InvalidArgumentError("git ls-remote gave no commit id");
    // A line with ^{} follows that of its annotated tag: the commit, not the tag, is what counts.
    if (!tip.ref.empty() && tip.ref != ref) {
      return absl::InvalidArgumentError(absl::StrCat("'", wanted, "' is both ", tip.ref, " and ",
                                                     ref, ": write the one that you mean in full"));
    }
    tip = {id, ref};
  }
  if (tip.commit.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "it has no branch or tag '", wanted, "'; give one that it has, or a commit id in full"));
  }
  return tip;
}

absl::Status Fetch(const Git& git, const GitUrl& url, const Tip& tip) {
  const std::vector<std::string> fetch = {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
                                          "--no-recurse-submodules"};
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> args = fetch;
    std::move(more.begin(), more.end(), std::back_inserter(args));
    return git.Run(kFetchTime, std::move(args)).status();
  };
  const auto is_there = [&] {
    return git.Run(kLookUpTime, {"cat-file", "-e", tip.commit + "^{commit}"}).ok();
  };
  // Not every server gives single commits, and not every one gives shallow histories.
  const absl::Status alone = run({"--depth=1", "--", url.url, tip.commit});
  if (alone.ok() && is_there()) return absl::OkStatus();
  if (!tip.ref.empty() && run({"--depth=1", "--", url.url, tip.ref}).ok() && is_there()) {
    return absl::OkStatus();
  }
  const absl::Status all =
      run({"--", url.url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"});
  if (all.ok() && is_there()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "cannot fetch commit ", tip.commit, ": ",
      !alone.ok() ? std::string(alone.message()) : "no branch and no tag of it has it"));
}

absl::Status RefuseSubmodules(const Git& git, const GitUrl& url, const std::string& commit) {
  std::vector<std::string> args = {"ls-tree", "-r", "-z", "--full-tree", commit, "--"};
  if (!url.directory.empty()) args.push_back(":(literal)" + url.directory);
  MA_ASSIGN_OR_RETURN(const std::string out, git.Run(kLookUpTime, std::move(args)));
  for (const absl::string_view entry : absl::StrSplit(out, '\0', absl::SkipEmpty())) {
    if (!absl::StartsWith(entry, "160000 ")) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("it has the submodule ", QuotedPath(entry.substr(entry.find('\t') + 1)),
                     ", and submodules are not fetched: clone it with --recurse-submodules and "
                     "build the directory"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SubDirectory(const std::string& top, const std::string& below) {
  const std::string path = below.empty() ? top : absl::StrCat(top, "/", below);
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
  const std::unique_ptr<char, decltype(&free)> real_top(realpath(top.c_str(), nullptr), free);
  struct stat info {};
  if (real == nullptr || real_top == nullptr || stat(real.get(), &info) != 0 ||
      !S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("it has no directory ", QuotedPath(below)));
  }
  const std::string inside = absl::StrCat(real_top.get(), "/");
  if (std::string(real.get()) != real_top.get() && !absl::StartsWith(real.get(), inside)) {
    return absl::InvalidArgumentError(
        absl::StrCat("its ", QuotedPath(below), " is a link that leads out of it"));
  }
  return std::string(real.get());
}

absl::StatusOr<GitCheckout> Checkout(const GitUrl& url, const std::string& into,
                                     const StopToken* stop) {
  const Git git(url, into, stop);
  MA_RETURN_IF_ERROR(git.Run(kLookUpTime, {"init", "--quiet", "--template="}).status());
  MA_ASSIGN_OR_RETURN(const Tip tip, Resolve(git, url));
  MA_RETURN_IF_ERROR(Fetch(git, url, tip));
  MA_ASSIGN_OR_RETURN(std::string commit,
                      git.Run(kLookUpTime, {"rev-parse", "--verify", tip.commit + "^{commit}"}));
  commit = std::string(absl::StripAsciiWhitespace(commit));
  MA_RETURN_IF_ERROR(RefuseSubmodules(git, url, commit));
  MA_RETURN_IF_ERROR(
      git.Run(kFetchTime, {"checkout", "--quiet", "--detach", "--force", commit}).status());
  MA_RETURN_IF_ERROR(RemoveTree(into + "/.git"));
  MA_ASSIGN_OR_RETURN(std::string directory, SubDirectory(into, url.directory));
  return GitCheckout{std::move(directory), std::move(commit)};
}

}  // namespace

std::string GitUrl::Shown() const {
  const size_t scheme = url.find("://");
  const size_t at = url.find('@');
  if (!absl::StartsWith(url, "http") || at == std::string::npos || at > url.find('/', scheme + 3)) {
    return url;
  }
  return absl::StrCat(url.substr(0, scheme + 3), url.substr(at + 1));
}

absl::StatusOr<std::optional<GitUrl>> ParseGitUrl(absl::string_view text) {
  GitUrl parsed;
  const size_t hash = text.find('#');
  std::string url(text.substr(0, hash));
  const bool http = absl::StartsWith(url, "https://") || absl::StartsWith(url, "http://");
  if (absl::StartsWith(url, "github.com/")) {
    url = absl::StrCat("https://", url);
  } else if (absl::StartsWith(url, "git+ssh://")) {
    url = url.substr(4);
  } else if (http && !absl::EndsWith(url, ".git")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the URL ", QuotedPath(text),
        " does not end with .git, and only git repositories are fetched: download it, and give the "
        "directory, or the archive on standard input"));
  } else if (!http && !absl::StartsWith(url, "ssh://") && !absl::StartsWith(url, "git://") &&
             !absl::StartsWith(url, "file://") && !absl::StartsWith(url, "git@")) {
    return std::optional<GitUrl>();
  }
  parsed.url = std::move(url);
  if (hash != absl::string_view::npos) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(text.substr(hash + 1), absl::MaxSplits(':', 1));
    parsed.ref = parts.first;
    parsed.directory = std::string(absl::StripSuffix(absl::StripPrefix(parts.second, "./"), "/"));
  }
  if (HasControlCharacters(text)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the git URL ", QuotedPath(text), " has control characters in it"));
  }
  if (!parsed.ref.empty() && !IsRef(parsed.ref)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the git URL ", QuotedPath(text), " names no possible branch, tag or commit behind '#'"));
  }
  if (!IsBelow(parsed.directory)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the git URL ", QuotedPath(text),
                     " names a directory outside of the repository behind ':'"));
  }
  return std::optional<GitUrl>(std::move(parsed));
}

absl::StatusOr<GitCheckout> FetchGit(const GitUrl& url, const std::string& into,
                                     const StopToken* stop) {
  absl::StatusOr<GitCheckout> checkout = Checkout(url, into, stop);
  MA_RETURN_IF_ERROR(
      Annotate(checkout.status(), absl::StrCat("fetching the context from ", url.Shown())));
  return checkout;
}

}  // namespace manyarch::cli
