// Contexts in and out, by content.
#pragma once

#include "controller/rpc/ports.h"
#include "manyarch/v1/content.grpc.pb.h"

namespace manyarch::controller::rpc {

// Served on the synchronous API. Thread-safe.
class ContentService : public v1::Content::Service {
 public:
  explicit ContentService(ContentPort* content) : content_(content) {}

  grpc::Status FindMissing(grpc::ServerContext* context, const v1::FindMissingRequest* request,
                           v1::FindMissingResponse* response) override;
  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* response) override;
  grpc::Status Download(grpc::ServerContext* context, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::DownloadResponse>* writer) override;

 private:
  ContentPort* const content_;
};

}  // namespace manyarch::controller::rpc
