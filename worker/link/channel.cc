#include "worker/link/channel.h"

#include <cctype>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace manyarch::worker::link {

std::shared_ptr<grpc::Channel> NewChannel(const std::string& target) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // This one also bounds an attempt to connect, where addresses swallow packets.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args);
}

std::string Reason(const grpc::Status& status) {
  if (status.ok()) return "the controller closed the connection";
  const std::string message = status.error_message();
  absl::string_view text = message;
  for (const absl::string_view mark : {"last error: ", "Failed to connect to remote host: "}) {
    const size_t at = text.rfind(mark);
    if (at != absl::string_view::npos) text.remove_prefix(at + mark.size());
  }
  std::string reason(text);
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::StrCat("what answers there is not a manyarch controller (", reason, ")");
  }
  if (reason == "Socket closed") return "the connection was cut";
  if (absl::StartsWith(reason, "Connection ")) reason[0] = 'c';
  return reason.empty() ? absl::StrCat("gRPC status ", status.error_code()) : reason;
}

}  // namespace manyarch::worker::link
