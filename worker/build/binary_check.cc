#include "worker/build/binary_check.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "worker/build/layer_tree.h"
#include "worker/core/elf.h"

namespace manyarch::worker {

namespace {

namespace fs = std::filesystem;

constexpr size_t kScriptHead = 256;  // What the kernel reads of a script's first line.
constexpr const char* kShells[] = {"/bin/sh", "/bin/busybox", "/usr/bin/env"};

// One look at one image.
class Look {
 public:
  Look(const StoredImage& image, const LayerTree& tree, const Platform& platform,
       const BinaryLimits& limits)
      : image_(image),
        tree_(tree),
        platform_(platform),
        limits_(limits),
        deadline_(absl::Now() + limits.time) {}

  BinaryFindings Run() {
    const std::vector<std::string>& command =
        image_.entrypoint.empty() ? image_.cmd : image_.entrypoint;
    if (!command.empty()) Command(command.front(), /*interpreters=*/1);
    for (const char* shell : kShells) Named(shell);
    Loaders();
    for (size_t layer = 0; layer < image_.new_layers && findings_.cut_short.empty(); ++layer) {
      Layer(layer);
    }
    if (tree_.error() != 0 && findings_.cut_short.empty()) {
      findings_.cut_short = absl::StrCat("an error: ", std::strerror(tree_.error()));
    }
    return std::move(findings_);
  }

 private:
  // The program that a container of the image would run.
  void Command(const std::string& name, int interpreters) {
    std::vector<std::string> candidates;
    if (absl::StartsWith(name, "/")) {
      candidates.push_back(name);
    } else if (absl::StrContains(name, '/')) {
      candidates.push_back(absl::StrCat(image_.working_dir, "/", name));
    } else {
      for (absl::string_view dir : absl::StrSplit(image_.path, ':')) {
        candidates.push_back(absl::StrCat(dir, "/", name));
      }
    }
    for (const std::string& candidate : candidates) {
      const auto entry = tree_.Find(candidate);
      if (!entry || !S_ISREG(entry->info.st_mode)) continue;
      Judge(*entry, /*starts=*/true);
      absl::string_view head_view;
      const std::string head = tree_.Head(*entry, kScriptHead);
      head_view = head;
      if (interpreters > 0 && absl::ConsumePrefix(&head_view, "#!")) {
        const std::vector<absl::string_view> words = absl::StrSplit(
            head_view.substr(0, head_view.find('\n')), absl::ByAnyChar(" \t"), absl::SkipEmpty());
        if (!words.empty()) Command(std::string(words.front()), interpreters - 1);
      }
      return;
    }
  }

  void Named(const std::string& path) {
    const auto entry = tree_.Find(path);
    if (entry) Judge(*entry, /*starts=*/false);
  }

  // An image may have loaders of other architectures beside its own. With none of its own, it has
  // the wrong base.
  void Loaders() {
    std::vector<LayerTree::Entry> foreign;
    for (const std::string& path : AllElfLoaders()) {
      const auto entry = tree_.Find(path);
      const auto elf = entry ? ParseElf(tree_.Head(*entry, kElfHeadBytes)) : std::nullopt;
      if (!elf) continue;
      if (BelongsIn(*elf, platform_)) return;
      foreign.push_back(*entry);
    }
    for (const LayerTree::Entry& entry : foreign) Judge(entry, /*starts=*/false);
  }

  // All files of a layer that are seen in the image.
  void Layer(size_t layer) {
    const std::string& dir = image_.layers[layer];
    std::error_code error;
    for (fs::recursive_directory_iterator it(dir, error), end; !error && it != end;
         it.increment(error)) {
      if (++files_ > limits_.files) {
        findings_.cut_short = absl::StrCat("more than ", limits_.files, " files");
        return;
      }
      if (files_ % 64 == 0 && absl::Now() > deadline_) {
        findings_.cut_short = absl::StrCat("more than ", absl::FormatDuration(limits_.time));
        return;
      }
      LayerTree::Entry entry;
      entry.layer = layer;
      entry.path = it->path().string().substr(dir.size() + 1);
      if (lstat(it->path().c_str(), &entry.info) != 0 || !S_ISREG(entry.info.st_mode) ||
          entry.info.st_size < static_cast<off_t>(kElfHeadBytes) || IsFromBase(entry)) {
        continue;
      }
      Judge(entry, /*starts=*/false);
    }
    if (error) findings_.cut_short = absl::StrCat("an error: ", error.message());
  }

  // With vfs, where a layer's directory has the files of the layers below, too.
  bool IsFromBase(const LayerTree::Entry& entry) const {
    if (image_.base_tree.empty()) return false;
    struct stat below = {};
    return lstat(absl::StrCat(image_.base_tree, "/", entry.path).c_str(), &below) == 0 &&
           below.st_size == entry.info.st_size &&
           below.st_mtim.tv_sec == entry.info.st_mtim.tv_sec &&
           below.st_mtim.tv_nsec == entry.info.st_mtim.tv_nsec;
  }

  // `starts`: a container of the image starts with it.
  void Judge(const LayerTree::Entry& entry, bool starts) {
    const auto elf = ParseElf(tree_.Head(entry, kElfHeadBytes));
    if (!elf || !elf->loadable || BelongsIn(*elf, platform_)) return;
    if (!starts && !IsKnownArchitecture(*elf)) return;
    if (!judged_.insert(entry.path).second) return;
    // A layer above may have removed or replaced it.
    const auto seen = tree_.Look(entry.path);
    if (!seen || seen->layer != entry.layer) return;
    if (findings_.foreign.size() == BinaryFindings::kMostNamed) {
      ++findings_.more;
      return;
    }
    findings_.foreign.push_back(
        absl::StrCat("/", EscapedText(entry.path), " is a program for ", ArchitectureOf(*elf)));
  }

  const StoredImage& image_;
  const LayerTree& tree_;
  const Platform& platform_;
  const BinaryLimits& limits_;
  const absl::Time deadline_;
  int files_ = 0;
  std::set<std::string> judged_;  // Paths of foreign programs.
  BinaryFindings findings_;
};

}  // namespace

absl::StatusOr<BinaryFindings> CheckBinaries(const StoredImage& image, const Platform& platform,
                                             const BinaryLimits& limits) {
  MA_ASSIGN_OR_RETURN(const LayerTree tree, LayerTree::Open(image.layers));
  return Look(image, tree, platform, limits).Run();
}

std::string Describe(const BinaryFindings& findings, const Platform& platform) {
  if (findings.foreign.empty()) return "";
  std::string text =
      absl::StrCat(absl::StrJoin(findings.foreign, ", "), " in an image for ", ToString(platform));
  if (findings.more == 1) absl::StrAppend(&text, "; 1 more file is like that");
  if (findings.more > 1) {
    absl::StrAppend(&text, "; ", findings.more, " more files are like that");
  }
  return text;
}

}  // namespace manyarch::worker
