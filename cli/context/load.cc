#include "cli/context/load.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/context/archive.h"
#include "cli/context/git_source.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace manyarch::cli {

namespace {

constexpr int kMostNamed = 100;
constexpr size_t kLongestName = 255;
constexpr size_t kLongestSource = 4096;  // Bytes; what the controller takes.

// At most `limit` bytes, fewer at the end.
absl::StatusOr<std::string> ReadInput(int fd, size_t limit) {
  std::string bytes(limit, '\0');
  size_t done = 0;
  while (done < limit) {
    const ssize_t n = read(fd, bytes.data() + done, limit - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("reading standard input: ", std::strerror(errno)));
    }
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

// A Containerfile that comes on standard input, after `head` of it.
absl::StatusOr<std::string> ReadContainerfile(int fd, std::string head) {
  MA_ASSIGN_OR_RETURN(const std::string rest, ReadInput(fd, kLargestContainerfile + 1));
  head += rest;
  MA_RETURN_IF_ERROR(CheckContainerfileText(head, "on standard input"));
  if (head.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(
        "what came on standard input is neither a tar archive nor a Containerfile");
  }
  return head;
}

const Node* Find(const Node& root, absl::string_view path) {
  const Node* node = &root;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    const auto it = std::find_if(node->children.begin(), node->children.end(),
                                 [&](const Node& child) { return child.name == part; });
    if (it == node->children.end()) return nullptr;
    node = &*it;
  }
  return node;
}

absl::StatusOr<std::string> TextOf(const Node& node) {
  if (node.stored == nullptr) return absl::InvalidArgumentError("is no file");
  const int64_t size = node.stored->content.size;
  if (size > static_cast<int64_t>(kLargestContainerfile)) {
    return absl::InvalidArgumentError(
        absl::StrCat("has more than ", kLargestContainerfile, " bytes"));
  }
  return ReadRange(node.stored->file, node.stored->offset, size);
}

// The rules of an archive, which are in it.
absl::StatusOr<IgnoreRules> RulesOf(const Node& root, const std::string& containerfile) {
  for (const std::string& name :
       {containerfile + ".containerignore", containerfile + ".dockerignore",
        std::string(".containerignore"), std::string(".dockerignore")}) {
    const Node* node = Find(root, name);
    if (node == nullptr || name.front() == '/') continue;
    const absl::StatusOr<std::string> text = TextOf(*node);
    MA_RETURN_IF_ERROR(Annotate(text.status(), absl::StrCat(QuotedPath(name), " in the archive")));
    return IgnoreRules::Parse(*text, QuotedPath(name));
  }
  return IgnoreRules();
}

// git keeps of modes only whether a file may be run; the rest is this machine's umask.
void UseGitModes(Node& node) {
  if (node.kind == Node::Kind::kFile) node.mode = (node.mode & 0100U) != 0 ? 0755 : 0644;
  if (node.kind == Node::Kind::kDirectory) node.mode = 0755;
  for (Node& child : node.children) UseGitModes(child);
}

class Loader {
 public:
  Loader(const ContextRequest& request, v1::JobSpec& spec) : request_(request), spec_(spec) {}

  absl::StatusOr<LoadedContext> Load() {
    if (request_.context == "-" && request_.file == "-") {
      return absl::InvalidArgumentError(
          "context and Containerfile cannot both come from standard input: give '-' for one of "
          "them");
    }
    MA_RETURN_IF_ERROR(request_.context == "-" ? FromInput() : FromPlace());
    for (const std::string& named : request_.named) {
      MA_RETURN_IF_ERROR(
          Annotate(AddNamed(named), absl::StrCat("--build-context ", QuotedPath(named))));
    }
    spec_.set_source(absl::StrJoin(sources_, "; "));
    if (spec_.source().size() > kLongestSource) {
      // A character cut in half is no UTF-8.
      spec_.set_source(ToUtf8(spec_.source().substr(0, kLongestSource - 4)) + " ...");
    }
    return std::move(loaded_);
  }

 private:
  // The clone's context, or nothing where the text is no git URL.
  absl::StatusOr<std::optional<GitCheckout>> FromGit(const std::string& text, std::string& source) {
    struct stat info {};
    // A directory of that name comes first.
    if (stat(text.c_str(), &info) == 0) return std::optional<GitCheckout>();
    MA_ASSIGN_OR_RETURN(const std::optional<GitUrl> url, ParseGitUrl(text));
    if (!url) return std::optional<GitCheckout>();
    MA_ASSIGN_OR_RETURN(const std::string into, request_.temporary->Make());
    MA_ASSIGN_OR_RETURN(GitCheckout checkout, FetchGit(*url, into, request_.stop));
    source = absl::StrCat("git ", url->Shown(), " ", checkout.commit,
                          url->directory.empty() ? "" : ":", url->directory);
    source = EscapedText(source);
    return std::optional<GitCheckout>(std::move(checkout));
  }

  // A directory as this machine knows it, whatever the current one is.
  static std::string DirectorySource(const std::string& directory) {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::canonical(directory, error);
    return absl::StrCat("directory ", QuotedPath(error ? directory : path.string()));
  }

  absl::Status FromPlace() {
    std::string source;
    MA_ASSIGN_OR_RETURN(const std::optional<GitCheckout> clone, FromGit(request_.context, source));
    const std::string directory = clone ? clone->directory : request_.context;
    ContextPlace place;
    if (request_.file == "-") {
      MA_ASSIGN_OR_RETURN(place, LocateDirectory(directory));
      MA_ASSIGN_OR_RETURN(place.containerfile_text, ReadContainerfile(request_.standard_input, ""));
    } else {
      MA_ASSIGN_OR_RETURN(
          place, LocateContext(directory, request_.file, clone ? Origin::kForeign : Origin::kOwn));
    }
    MA_ASSIGN_OR_RETURN(ContextTree tree, TreeOf(place, clone.has_value()));
    Use(std::move(tree), place.containerfile, std::move(place.containerfile_text));
    sources_.push_back(clone ? source : DirectorySource(directory));
    return absl::OkStatus();
  }

  absl::StatusOr<ContextTree> TreeOf(const ContextPlace& place, bool clone) const {
    MA_ASSIGN_OR_RETURN(Node root, WalkContext(place));
    if (clone) UseGitModes(root);
    const DigestCache cache =
        clone ? DigestCache() : DigestCache::Load(request_.digest_cache, place.directory);
    return BuildTree(place.directory, root, cache, request_.threads);
  }

  absl::Status FromInput() {
    MA_ASSIGN_OR_RETURN(const std::string head, ReadInput(request_.standard_input, 512));
    if (head.empty()) {
      return absl::InvalidArgumentError("the context '-' is empty: nothing came on standard input");
    }
    sources_.emplace_back("standard input");
    Node root;
    root.kind = Node::Kind::kDirectory;
    root.mode = 0755;
    std::string file;
    std::string text;
    if (LooksLikeArchive(head)) {
      MA_ASSIGN_OR_RETURN(const std::string spool, request_.temporary->Make());
      MA_ASSIGN_OR_RETURN(root, ReadArchive(request_.standard_input, head, spool + "/files"));
      MA_ASSIGN_OR_RETURN(file, FileInArchive(root));
      MA_RETURN_IF_ERROR(LeaveOut(root, file, text));
    } else {
      // As with docker: a Containerfile alone has an empty context.
      MA_ASSIGN_OR_RETURN(text, ReadContainerfile(request_.standard_input, head));
    }
    MA_ASSIGN_OR_RETURN(ContextTree tree, BuildTree("", root, DigestCache(), request_.threads));
    if (!text.empty()) file.clear();
    Use(std::move(tree), file, std::move(text));
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> FileInArchive(const Node& root) const {
    const std::string given(absl::StripPrefix(request_.file, "./"));
    if (!given.empty()) {
      const Node* node = Find(root, given);
      if (node != nullptr && node->kind != Node::Kind::kDirectory) return given;
      return absl::InvalidArgumentError(
          absl::StrCat("there is no Containerfile ", QuotedPath(given), " in the archive"));
    }
    for (const char* name : {"Containerfile", "Dockerfile"}) {
      if (Find(root, name) != nullptr) return std::string(name);
    }
    return absl::InvalidArgumentError(
        "there is no Containerfile and no Dockerfile at the top of the archive: add one, or name "
        "another file of it with --file");
  }

  // Takes out what is ignored; where that is the Containerfile, its text is kept.
  static absl::Status LeaveOut(Node& root, const std::string& file, std::string& text) {
    MA_ASSIGN_OR_RETURN(const IgnoreRules rules, RulesOf(root, file));
    const Node& node = *Find(root, file);
    if (node.stored != nullptr) {
      absl::StatusOr<std::string> bytes = TextOf(node);
      MA_RETURN_IF_ERROR(
          Annotate(bytes.status(), absl::StrCat("the archive's ", QuotedPath(file))));
      MA_RETURN_IF_ERROR(CheckContainerfileText(*bytes, QuotedPath(file)));
      // A path on the wire is text.
      const bool ascii = std::all_of(file.begin(), file.end(), [](char c) {
        return absl::ascii_isascii(static_cast<unsigned char>(c));
      });
      if (rules.Ignores(file) || !ascii) text = *std::move(bytes);
    }
    LeaveOutIgnored(rules, root);
    return absl::OkStatus();
  }

  // The main context.
  void Use(ContextTree tree, const std::string& containerfile, std::string text) {
    spec_.set_context_root(tree.root);
    loaded_.trees.push_back(std::move(tree));
    v1::BuildOptions& options = *spec_.mutable_options();
    options.set_containerfile(containerfile);
    if (text.empty()) return;
    ContextTree beside = SingleBlob(std::move(text));
    options.set_containerfile_digest(beside.root);
    loaded_.trees.push_back(std::move(beside));
  }

  absl::Status AddNamed(const std::string& text) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    const auto& [name, from] = parts;
    v1::BuildOptions& options = *spec_.mutable_options();
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
             absl::string_view("._-/:@+").find(c) != absl::string_view::npos;
    });
    if (name.empty() || from.empty() || !plain || name.front() == '-' ||
        name.size() > kLongestName) {
      return absl::InvalidArgumentError(
          "write it NAME=DIRECTORY, NAME=GIT-URL or NAME=docker-image://REFERENCE");
    }
    if (!names_.insert(absl::AsciiStrToLower(name)).second) {
      return absl::InvalidArgumentError("the name is given twice");
    }
    if (names_.size() > kMostNamed) {
      return absl::InvalidArgumentError(
          absl::StrCat("at most ", kMostNamed, " contexts can be named"));
    }
    v1::NamedContext context;
    context.set_name(name);
    absl::string_view image = from;
    if (absl::ConsumePrefix(&image, "docker-image://") ||
        absl::ConsumePrefix(&image, "docker://")) {
      context.set_image(std::string(image));
    } else if (absl::StrContains(from, "://") &&
               (absl::StartsWith(from, "oci-layout:") || absl::StartsWith(from, "target:"))) {
      return absl::InvalidArgumentError(
          "this kind of source is not supported: give a directory, a git URL or "
          "docker-image://REFERENCE");
    } else {
      std::string source;
      MA_ASSIGN_OR_RETURN(const std::optional<GitCheckout> clone, FromGit(from, source));
      MA_ASSIGN_OR_RETURN(const ContextPlace place,
                          LocateDirectory(clone ? clone->directory : from));
      MA_ASSIGN_OR_RETURN(ContextTree tree, TreeOf(place, clone.has_value()));
      context.set_root(tree.root);
      sources_.push_back(absl::StrCat(name, ": ", clone ? source : DirectorySource(from)));
      loaded_.trees.push_back(std::move(tree));
    }
    *options.add_contexts() = std::move(context);
    return absl::OkStatus();
  }

  const ContextRequest& request_;
  v1::JobSpec& spec_;
  LoadedContext loaded_;
  std::set<std::string> names_;
  std::vector<std::string> sources_;  // Of each context, for people.
};

}  // namespace

absl::StatusOr<LoadedContext> LoadContext(const ContextRequest& request, v1::JobSpec& spec) {
  return Loader(request, spec).Load();
}

}  // namespace manyarch::cli
