#include "cli/context/tree.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "cli/context/hash_file.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "manyarch/v1/content.pb.h"

namespace manyarch::cli {

namespace {

struct PendingFile {
  const Node* node = nullptr;
  std::string path;  // Relative to the context.
  absl::StatusOr<HashedFile> hashed = HashedFile();
};

void CollectFiles(const Node& node, const std::string& path, std::vector<PendingFile>& files) {
  for (const Node& child : node.children) {
    std::string below = path.empty() ? child.name : absl::StrCat(path, "/", child.name);
    if (child.kind == Node::Kind::kDirectory) {
      CollectFiles(child, below, files);
    } else if (child.kind == Node::Kind::kFile && child.stored == nullptr) {
      files.push_back({&child, std::move(below), HashedFile()});
    }
  }
}

// Stops handing out files after the first error; the error of the first file in order is returned.
absl::Status HashAll(const std::string& top, const DigestCache& cache, int threads,
                     std::vector<PendingFile>& files) {
  std::vector<PendingFile*> unknown;
  for (PendingFile& file : files) {
    if (const FileContent* content = cache.Find(file.path, file.node->stamp)) {
      file.hashed = HashedFile{*content, file.node->stamp, /*settled=*/true};
    } else {
      unknown.push_back(&file);
    }
  }
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&] {
    for (size_t i = next++; i < unknown.size() && !failed; i = next++) {
      unknown[i]->hashed = HashFile(absl::StrCat(top, "/", unknown[i]->path));
      if (!unknown[i]->hashed.ok()) failed = true;
    }
  };
  std::vector<std::thread> others;
  const int wanted = std::min(threads, static_cast<int>(std::min<size_t>(unknown.size(), 64)));
  for (int i = 1; i < wanted; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  DigestCache::Files found;
  for (PendingFile& file : files) {
    MA_RETURN_IF_ERROR(file.hashed.status());
    found.push_back({file.path, *file.hashed});
  }
  cache.Replace(found, !unknown.empty());
  return absl::OkStatus();
}

// Turns nodes and hashed files into blobs, in the order in which CollectFiles saw the files.
class Assembler {
 public:
  Assembler(const std::string& top, const std::vector<PendingFile>& files, ContextTree& tree)
      : top_(top), next_(files.begin()), tree_(tree) {}

  // Returns the digest of the directory's blob.
  std::string Add(const Node& directory, int depth = 0) {
    tree_.depth = std::max(tree_.depth, depth);
    tree_.entries += static_cast<int64_t>(directory.children.size());
    v1::Directory message;
    message.set_mode(directory.mode);
    for (const Node& child : directory.children) {
      switch (child.kind) {
        case Node::Kind::kFile:
          AddFile(child, *message.add_files());
          break;
        case Node::Kind::kDirectory: {
          v1::DirectoryEntry& entry = *message.add_directories();
          entry.set_name(child.name);
          entry.set_digest(Add(child, depth + 1));
          break;
        }
        case Node::Kind::kSymlink: {
          v1::SymlinkEntry& entry = *message.add_symlinks();
          entry.set_name(child.name);
          entry.set_target(child.target);
          break;
        }
      }
    }
    Blob blob;
    blob.bytes = DeterministicBytes(message);
    blob.size = static_cast<int64_t>(blob.bytes.size());
    blob.digest = Digest::Of(blob.bytes).ToString();
    std::string digest = blob.digest;
    Keep(std::move(blob));
    return digest;
  }

 private:
  void AddFile(const Node& node, v1::FileEntry& entry) {
    if (node.stored != nullptr) {
      AddContent(node, node.stored->content, node.stored->file, node.stored->offset, entry);
    } else {
      const PendingFile& file = *next_++;
      AddContent(node, file.hashed->content, absl::StrCat(top_, "/", file.path), 0, entry);
    }
  }

  void AddContent(const Node& node, const FileContent& content, const std::string& file,
                  int64_t offset, v1::FileEntry& entry) {
    entry.set_name(node.name);
    entry.set_mode(node.mode);
    entry.set_size(content.size);
    for (const Chunk& chunk : content.chunks) {
      entry.add_chunks(chunk.digest);
      Keep(Blob{chunk.digest, chunk.size, file, offset + chunk.offset, ""});
    }
    ++tree_.files;
    tree_.bytes += content.size;
  }

  void Keep(Blob blob) {
    if (seen_.insert(blob.digest).second) tree_.blobs.push_back(std::move(blob));
  }

  const std::string& top_;
  std::vector<PendingFile>::const_iterator next_;
  ContextTree& tree_;
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace

absl::StatusOr<ContextTree> BuildTree(const std::string& directory, const Node& root,
                                      const DigestCache& cache, int threads) {
  const std::string top = directory == "/" ? "" : directory;
  std::vector<PendingFile> files;
  CollectFiles(root, "", files);
  MA_RETURN_IF_ERROR(HashAll(top, cache, threads, files));
  ContextTree tree;
  tree.root = Assembler(top, files, tree).Add(root);
  return tree;
}

ContextTree SingleBlob(std::string bytes) {
  Blob blob;
  blob.digest = Digest::Of(bytes).ToString();
  blob.size = static_cast<int64_t>(bytes.size());
  blob.bytes = std::move(bytes);
  ContextTree tree;
  tree.root = blob.digest;
  tree.files = 1;
  tree.bytes = blob.size;
  tree.entries = 1;
  tree.blobs.push_back(std::move(blob));
  return tree;
}

absl::StatusOr<std::string> ReadBlob(const Blob& blob) {
  if (blob.file.empty()) return blob.bytes;
  MA_ASSIGN_OR_RETURN(std::string bytes, ReadRange(blob.file, blob.offset, blob.size));
  if (Digest::Of(bytes).ToString() != blob.digest) {
    return absl::FailedPreconditionError(
        absl::StrCat(QuotedPath(blob.file),
                     " was changed while the context was being sent: run the command again"));
  }
  return bytes;
}

std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  return bytes;
}

}  // namespace manyarch::cli
