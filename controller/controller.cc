#include "controller/controller.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "common/os/flags.h"
#include "controller/adapters.h"
#include "controller/content_keeper.h"
#include "controller/publish/list.h"
#include "controller/registries.h"
#include "controller/rpc/content_service.h"
#include "controller/rpc/farm_service.h"
#include "controller/state_lock.h"
#include "registry/curl_transport.h"
#include "registry/limited_transport.h"
#include "registry/retry.h"
#include "spdlog/spdlog.h"

namespace manyarch::controller {

namespace {

// Clients that are idle may keep their connections open for as long.
constexpr std::chrono::seconds kShutdownTime{2};
constexpr int kKeepaliveMinimumMs = 10'000;
// Longer than workers are silent: with thousands of them, pings would cost more than heartbeats.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 10'000;

core::FarmOptions FarmOptionsOf(const Options& options) {
  core::FarmOptions farm;
  farm.suspect_after = options.suspect_after;
  farm.lost_after = options.lost_after;
  farm.queue.max_overtake = options.max_overtake;
  farm.queue.max_running = options.project_limit;
  return farm;
}

}  // namespace

// Members are destroyed from the last to the first: what others lean on comes first.
struct Controller::Parts {
  UniqueFd lock;
  std::unique_ptr<registry::HttpTransport> transport;
  registry::SystemWaiter waiter;
  std::unique_ptr<Registries> registries;
  std::unique_ptr<registry::LimitedTransport> limited;
  LoopEvents events;
  std::unique_ptr<Store> store;
  std::unique_ptr<ContentStore> content;
  Board board;
  std::unique_ptr<DiskRoom> room;
  LogAccess log_access;
  std::unique_ptr<publish::Publisher> publisher;
  std::unique_ptr<RegistryAccess> registry;
  std::unique_ptr<SecretAccess> secrets;
  std::unique_ptr<rpc::WorkerSessions> sessions;
  std::unique_ptr<LogStore> logs;
  std::unique_ptr<Calls> calls;
  std::unique_ptr<JobReader> jobs;
  std::unique_ptr<ContentAccess> content_access;
  std::unique_ptr<LoopAdapter> adapter;
  std::unique_ptr<Loop> loop;
  std::unique_ptr<rpc::FarmService> farm_service;
  std::unique_ptr<rpc::ContentService> content_service;
  std::unique_ptr<ContentKeeper> keeper;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  bool stopped = false;

  absl::Status Build(const Options& options);
  absl::Status Listen(const Options& options);
};

absl::Status Controller::Parts::Build(const Options& options) {
  MA_RETURN_IF_ERROR(MakeDirs(options.state_dir, 0700));
  MA_ASSIGN_OR_RETURN(lock, LockStateDir(options.state_dir));
  MA_ASSIGN_OR_RETURN(store, OpenSqliteStore(absl::StrCat(options.state_dir, "/farm.db")));
  MA_ASSIGN_OR_RETURN(content, ContentStore::Open(absl::StrCat(options.state_dir, "/content"),
                                                  options.context_limits));
  const std::string log_dir = absl::StrCat(options.state_dir, "/logs");
  MA_RETURN_IF_ERROR(MakeDirs(log_dir));

  room = std::make_unique<DiskRoom>(options.state_dir, options.min_free);

  if (transport == nullptr) {
    transport = std::make_unique<registry::CurlTransport>("manyarch/" MANYARCH_VERSION);
  }
  publish::PublisherOptions publishing;
  MA_ASSIGN_OR_RETURN(registries, Registries::Read(options, &waiter));
  publishing.client = registries->client();
  limited =
      std::make_unique<registry::LimitedTransport>(registries->hosts(), transport.get(), &waiter);
  publishing.authfile_of = [this](const std::string& job_id) {
    return secrets->AuthfileOf(job_id);
  };
  publisher = std::make_unique<publish::Publisher>(
      publishing, limited.get(), &waiter,
      [this](core::Event event) { events.Post(std::move(event)); });
  registry = std::make_unique<RegistryAccess>(registries.get(), publisher.get());

  MA_ASSIGN_OR_RETURN(Sealer sealer, Sealer::Open(absl::StrCat(options.state_dir, "/secrets.key")));
  secrets = std::make_unique<SecretAccess>(std::move(sealer), store.get());

  rpc::SessionOptions session_options;
  session_options.heartbeat_interval = options.heartbeat;
  session_options.controller_version = MANYARCH_VERSION;
  sessions = std::make_unique<rpc::WorkerSessions>(session_options, &events, &log_access,
                                                   registry.get(), secrets.get());
  logs = std::make_unique<LogStore>(log_dir, [this](const std::string& attempt_id, int64_t size) {
    sessions->AcknowledgeLog(attempt_id, size);
  });
  log_access.Attach(logs.get(), room.get());

  calls = std::make_unique<Calls>(&events);
  jobs = std::make_unique<JobReader>(&board, store.get());
  content_access = std::make_unique<ContentAccess>(content.get(), room.get());
  adapter = std::make_unique<LoopAdapter>(store.get(), &board, calls.get(), sessions.get(),
                                          publisher.get());
  loop = std::make_unique<Loop>(FarmOptionsOf(options), publish::BuildList, adapter.get());
  events.Attach(loop.get());
  farm_service =
      std::make_unique<rpc::FarmService>(MANYARCH_VERSION, calls.get(), jobs.get(), &log_access,
                                         content_access.get(), registry.get(), secrets.get());
  content_service = std::make_unique<rpc::ContentService>(content_access.get());
  MA_RETURN_IF_ERROR(loop->Start());
  keeper = std::make_unique<ContentKeeper>(
      options.state_dir, ContentKeeper::Limits{options.content_limit, options.min_free},
      content.get(), store.get());
  return absl::OkStatus();
}

absl::Status Controller::Parts::Listen(const Options& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kKeepaliveMinimumMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // A connection that is dead without having said so is given up, and its streams end.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // Two controllers on one port would each get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  sessions->Register(builder);
  builder.RegisterService(farm_service.get());
  builder.RegisterService(content_service.get());
  server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen,
                     ": is another program using that port? Give another one with --listen"));
  }
  sessions->Start();
  if (!options.port_file.empty()) {
    MA_RETURN_IF_ERROR(WriteFileAtomic(options.port_file, absl::StrCat(port, "\n")));
  }
  return absl::OkStatus();
}

Controller::Controller(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<Controller>> Controller::Start(
    const Options& options, std::unique_ptr<registry::HttpTransport> transport) {
#ifdef NDEBUG
  // Debian's Abseil looks for circles of locks at every one that is taken; tests are for that.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  std::unique_ptr<Controller> controller(new Controller(std::make_unique<Parts>()));
  controller->parts_->transport = std::move(transport);
  MA_RETURN_IF_ERROR(controller->parts_->Build(options));
  MA_RETURN_IF_ERROR(controller->parts_->Listen(options));
  spdlog::info("manyarch-controller {} listens on port {}, state in {}", MANYARCH_VERSION,
               controller->parts_->port, options.state_dir);
  return controller;
}

Controller::~Controller() { Stop(); }

int Controller::port() const { return parts_->port; }

void Controller::Stop() {
  Parts& parts = *parts_;
  if (parts.stopped) return;
  parts.stopped = true;
  if (parts.farm_service != nullptr) parts.farm_service->Stop();
  if (parts.server != nullptr) {
    parts.server->GetHealthCheckService()->SetServingStatus(false);
    parts.sessions->CloseAll(absl::UnavailableError("the controller is stopping"),
                             /*for_good=*/true);
    parts.server->Shutdown(std::chrono::system_clock::now() + kShutdownTime);
  }
  // The queues may be shut down only after the server is.
  if (parts.sessions != nullptr) parts.sessions->Stop();
  if (parts.publisher != nullptr) parts.publisher->Stop();
  if (parts.loop != nullptr) parts.loop->Stop();
}

}  // namespace manyarch::controller
