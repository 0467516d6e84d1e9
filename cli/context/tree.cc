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
  std::string path;
  absl::StatusOr<FileContent> content = FileContent();
};

void CollectFiles(const Node& node, const std::string& path, std::vector<PendingFile>& files) {
  for (const Node& child : node.children) {
    const std::string below = absl::StrCat(path, "/", child.name);
    if (child.kind == Node::Kind::kFile) files.push_back({below, FileContent()});
    if (child.kind == Node::Kind::kDirectory) CollectFiles(child, below, files);
  }
}

// Stops handing out files after the first error; the error of the first file in order is returned.
absl::Status HashAll(std::vector<PendingFile>& files, int threads) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&] {
    for (size_t i = next++; i < files.size() && !failed; i = next++) {
      files[i].content = HashFile(files[i].path);
      if (!files[i].content.ok()) failed = true;
    }
  };
  std::vector<std::thread> others;
  const int wanted = std::min(threads, static_cast<int>(std::min<size_t>(files.size(), 64)));
  for (int i = 1; i < wanted; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  for (const PendingFile& file : files) MA_RETURN_IF_ERROR(file.content.status());
  return absl::OkStatus();
}

// Turns nodes and hashed files into blobs, in the order in which CollectFiles saw the files.
class Assembler {
 public:
  Assembler(const std::vector<PendingFile>& files, ContextTree& tree)
      : next_(files.begin()), tree_(tree) {}

  // Returns the digest of the directory's blob.
  std::string Add(const Node& directory) {
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
          entry.set_digest(Add(child));
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
    const PendingFile& file = *next_++;
    entry.set_name(node.name);
    entry.set_mode(node.mode);
    entry.set_size(file.content->size);
    for (const Chunk& chunk : file.content->chunks) {
      entry.add_chunks(chunk.digest);
      Keep(Blob{chunk.digest, chunk.size, file.path, chunk.offset, ""});
    }
    ++tree_.files;
    tree_.bytes += file.content->size;
  }

  void Keep(Blob blob) {
    if (seen_.insert(blob.digest).second) tree_.blobs.push_back(std::move(blob));
  }

  std::vector<PendingFile>::const_iterator next_;
  ContextTree& tree_;
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace

absl::StatusOr<ContextTree> BuildTree(const ContextPlace& place, Node root, int threads) {
  std::vector<PendingFile> files;
  CollectFiles(root, place.directory == "/" ? "" : place.directory, files);
  MA_RETURN_IF_ERROR(HashAll(files, threads));
  ContextTree tree;
  tree.root = Assembler(files, tree).Add(root);
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
