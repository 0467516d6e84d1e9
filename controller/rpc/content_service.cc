#include "controller/rpc/content_service.h"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/rpc/status.h"

namespace manyarch::controller::rpc {

namespace {

constexpr int kMostDigests = 10'000;
constexpr size_t kPiece = 1 << 20;
constexpr int64_t kLargestBlob = 64 << 20;

// Collects the pieces of one blob after the other.
class Assembler {
 public:
  // The blob that this piece has completed, if it has.
  absl::StatusOr<std::optional<std::pair<Digest, std::string>>> Take(
      const v1::UploadRequest& piece) {
    if (!digest_) MA_RETURN_IF_ERROR(Begin(piece));
    if (piece.data().size() > kPiece) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a piece of ", piece.data().size(), " bytes was sent, at most ", kPiece, " are allowed"));
    }
    MA_RETURN_IF_ERROR(compression_ == v1::COMPRESSION_ZSTD ? Decompress(piece.data())
                                                            : Append(piece.data()));
    if (!piece.last()) return std::optional<std::pair<Digest, std::string>>();
    if (static_cast<int64_t>(bytes_.size()) != size_) {
      return absl::InvalidArgumentError(absl::StrCat("the blob ", digest_->ToString(), " has ",
                                                     bytes_.size(), " bytes, not the ", size_,
                                                     " announced"));
    }
    std::pair<Digest, std::string> blob{*std::move(digest_), std::move(bytes_)};
    digest_.reset();
    bytes_.clear();
    return std::optional(std::move(blob));
  }

  bool idle() const { return !digest_; }

 private:
  absl::Status Begin(const v1::UploadRequest& piece) {
    MA_ASSIGN_OR_RETURN(Digest digest, Digest::Parse(piece.digest()));
    if (piece.size() < 0 || piece.size() > kLargestBlob) {
      return absl::InvalidArgumentError(
          absl::StrCat("the blob ", piece.digest(), " of ", piece.size(),
                       " bytes is larger than the limit of ", kLargestBlob, " bytes"));
    }
    digest_ = std::move(digest);
    size_ = piece.size();
    compression_ = piece.compression();
    if (compression_ == v1::COMPRESSION_ZSTD) {
      if (zstd_ == nullptr) zstd_.reset(ZSTD_createDStream());
      ZSTD_initDStream(zstd_.get());
    } else if (compression_ != v1::COMPRESSION_NONE) {
      return absl::InvalidArgumentError(
          "the blob is compressed in a way this controller does not know");
    }
    return absl::OkStatus();
  }

  absl::Status Append(absl::string_view data) {
    if (static_cast<int64_t>(bytes_.size() + data.size()) > size_) return TooLong();
    bytes_.append(data.data(), data.size());
    return absl::OkStatus();
  }

  absl::Status Decompress(const std::string& data) {
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    while (true) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const size_t result = ZSTD_decompressStream(zstd_.get(), &out, &in);
      if (ZSTD_isError(result) != 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("the blob ", digest_->ToString(),
                         " cannot be decompressed: ", ZSTD_getErrorName(result)));
      }
      MA_RETURN_IF_ERROR(Append(absl::string_view(buffer_.data(), out.pos)));
      if (in.pos == in.size && out.pos < out.size) return absl::OkStatus();
    }
  }

  absl::Status TooLong() const {
    return absl::InvalidArgumentError(absl::StrCat(
        "the blob ", digest_->ToString(), " is longer than the ", size_, " bytes announced"));
  }

  struct FreeStream {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, FreeStream> zstd_;
  std::string buffer_ = std::string(ZSTD_DStreamOutSize(), '\0');
  std::optional<Digest> digest_;
  int64_t size_ = 0;
  v1::Compression compression_ = v1::COMPRESSION_NONE;
  std::string bytes_;
};

// Empty where that makes it no smaller.
std::string Compressed(ZSTD_CCtx* compressor, const std::string& bytes) {
  constexpr int kLevel = 1;
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t n =
      ZSTD_compressCCtx(compressor, out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  out.resize(ZSTD_isError(n) != 0U || n >= bytes.size() ? 0 : n);
  return out;
}

}  // namespace

grpc::Status ContentService::FindMissing(grpc::ServerContext* /*context*/,
                                         const v1::FindMissingRequest* request,
                                         v1::FindMissingResponse* response) {
  if (request->digests_size() > kMostDigests) {
    return ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("at most ", kMostDigests, " digests can be asked for at once")));
  }
  for (const std::string& text : request->digests()) {
    const absl::StatusOr<Digest> digest = Digest::Parse(text);
    if (!digest.ok()) return ToGrpc(digest.status());
    if (!content_->Has(*digest)) response->add_digests(text);
  }
  return grpc::Status::OK;
}

grpc::Status ContentService::Upload(grpc::ServerContext* /*context*/,
                                    grpc::ServerReader<v1::UploadRequest>* reader,
                                    v1::UploadResponse* response) {
  const std::unique_ptr<BlobUpload> upload = content_->BeginUpload();
  Assembler assembler;
  v1::UploadRequest piece;
  while (reader->Read(&piece)) {
    auto blob = assembler.Take(piece);
    if (!blob.ok()) return ToGrpc(blob.status());
    if (!*blob) continue;
    if (const absl::Status added = upload->Add((*blob)->first, (*blob)->second); !added.ok()) {
      return ToGrpc(added);
    }
    response->add_stored((*blob)->first.ToString());
  }
  // Also where the connection broke: what has arrived whole need not be sent again. Roots come
  // last, so the rest of a root that is there is there too.
  const absl::Status committed = upload->Commit();
  if (committed.ok() && !assembler.idle()) {
    return ToGrpc(absl::InvalidArgumentError("the upload ended in the middle of a blob"));
  }
  return ToGrpc(committed);
}

grpc::Status ContentService::Download(grpc::ServerContext* /*context*/,
                                      const v1::DownloadRequest* request,
                                      grpc::ServerWriter<v1::DownloadResponse>* writer) {
  if (request->digests_size() > kMostDigests) {
    return ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("at most ", kMostDigests, " blobs can be asked for at once")));
  }
  const bool zstd = std::find(request->accepts().begin(), request->accepts().end(),
                              v1::COMPRESSION_ZSTD) != request->accepts().end();
  // One for all: making it costs more than compressing a small file.
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> compressor(ZSTD_createCCtx(),
                                                                      ZSTD_freeCCtx);
  for (const std::string& text : request->digests()) {
    const absl::StatusOr<Digest> digest = Digest::Parse(text);
    if (!digest.ok()) return ToGrpc(digest.status());
    const absl::StatusOr<std::string> bytes = content_->Get(*digest);
    if (!bytes.ok()) return ToGrpc(bytes.status());
    const std::string packed = zstd ? Compressed(compressor.get(), *bytes) : "";
    const std::string& sent = packed.empty() ? *bytes : packed;
    size_t offset = 0;
    do {
      v1::DownloadResponse piece;
      if (offset == 0) {
        piece.set_digest(text);
        piece.set_size(static_cast<int64_t>(bytes->size()));
        piece.set_compression(packed.empty() ? v1::COMPRESSION_NONE : v1::COMPRESSION_ZSTD);
      }
      const size_t length = std::min(kPiece, sent.size() - offset);
      piece.set_data(sent.substr(offset, length));
      offset += length;
      piece.set_last(offset == sent.size());
      if (!writer->Write(piece)) return grpc::Status::CANCELLED;
    } while (offset < sent.size());
  }
  return grpc::Status::OK;
}

}  // namespace manyarch::controller::rpc
