#include "collector/grpc_server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>

#include "collector/acceptor.h"
#include "collector/server_credentials.h"
#include "common/limits.h"

namespace oppetid::collector {
namespace {

constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
// Agents ping every 20 s; anything up to this often is no attack.
constexpr int kMinPingIntervalMs = 5'000;
// Handshakes ends those that do not get on sooner, and tells.
constexpr int kHandshakeMs = 20'000;
// A connection without a stream on it is of no use to an agent.
constexpr int kIdleMs = 30'000;
// One stream per agent; room for enrolment beside it.
constexpr int kStreamsPerConnection = 4;
// Above the frame limit, so that a frame that is too large can be told and counted; far above,
// gRPC itself cuts it off.
constexpr int kReceiveBytes = 2 * limits::kFrameBytes;
// Answers waiting for an agent that does not read.
constexpr size_t kMaxQueue = 64;
// The last answer gets this long before the reason of the end; a peer may never take it.
constexpr auto kLastWriteWithin = std::chrono::seconds(1);
constexpr auto kShutdownWithin = std::chrono::seconds(2);
// A request to enrol is 300 bytes; it comes at once, or its caller is no agent.
constexpr size_t kEnrolBytes = 4'096;
constexpr auto kEnrolWithin = std::chrono::seconds(10);

constexpr char kStreamMethod[] = "/oppetid.v1.Telemetry/Stream";
constexpr char kEnrolMethod[] = "/oppetid.v1.Enrolment/Enrol";

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

// The client's certificate and what it sent behind it, PEM.
std::string ChainOf(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  std::string chain;
  // On a server OpenSSL's chain lacks the peer's own certificate, which must come first.
  for (const char* name : {"x509_pem_cert", "x509_pem_cert_chain"}) {
    for (const auto& value : auth->FindPropertyValues(name))
      chain.append(value.data(), value.size());
  }
  return chain;
}

struct Services {
  boost::asio::any_io_executor executor;
  Hub& hub;
  const PeerVerifier& verifier;
  const Clock& clock;
  Counters& counters;
  EnrolHandler enrol;                                      // called on the executor's thread
  std::function<void(const std::string& peer)> on_stream;  // likewise
};

// One agent's stream. gRPC calls the On… methods on its threads; the rest runs on the executor's.
// Keeps itself alive until OnDone.
class StreamReactor : public grpc::ServerGenericBidiReactor,
                      public SessionLink,
                      public std::enable_shared_from_this<StreamReactor> {
 public:
  StreamReactor(Services services, grpc::CallbackServerContext* context)
      : services_(std::move(services)), context_(context), last_write_(services_.executor) {}

  void Start(const Peer& peer) {
    self_ = shared_from_this();
    Post([peer](StreamReactor& stream) {
      stream.session_ = stream.services_.hub.Open(peer, stream.shared_from_this());
      stream.StartRead(&stream.in_);
    });
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Post([](StreamReactor& stream) { stream.End(grpc::Status::OK); });
      return;
    }
    auto frame = std::make_shared<v1::AgentFrame>();
    const char* refusal = Decode(frame.get());
    in_.Clear();
    Post([frame, refusal](StreamReactor& stream) { stream.Take(*frame, refusal); });
  }

  void OnWriteDone(bool) override {
    Post([](StreamReactor& stream) {
      stream.writing_ = false;
      stream.WriteNext();
    });
  }

  void OnDone() override {
    // The last reference may go here or with the last posted step.
    Post([](StreamReactor& stream) { stream.self_.reset(); });
  }

  void Send(const v1::CollectorFrame& frame) override {
    if (ended_) return;
    const std::string bytes = frame.SerializeAsString();
    const grpc::Slice slice(bytes);
    queue_.emplace_back(&slice, 1);
    if (queue_.size() > kMaxQueue) {
      services_.counters.Reject("does_not_read", context_->peer());
      context_->TryCancel();
      return;
    }
    WriteNext();
  }

  void Close(const absl::Status& status) override {
    session_ = 0;  // the hub has forgotten us
    End(ToGrpc(status));
  }

 private:
  template <typename Step>
  void Post(Step step) {
    boost::asio::post(services_.executor, [self = self_, step = std::move(step)] { step(*self); });
  }

  const char* Decode(v1::AgentFrame* frame) {
    if (in_.Length() > static_cast<size_t>(limits::kFrameBytes)) return "oversized";
    grpc::ProtoBufferReader reader(&in_);
    return frame->ParseFromZeroCopyStream(&reader) ? nullptr : "garbage";
  }

  void Take(const v1::AgentFrame& frame, const char* refusal) {
    if (ended_) return;
    if (refusal != nullptr) {
      services_.counters.Reject(refusal, context_->peer());
      End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, std::string("refused: ") + refusal));
      return;
    }
    services_.hub.OnFrame(session_, frame);
    if (!ended_) StartRead(&in_);
  }

  void WriteNext() {
    if (writing_) return;
    if (ended_) {
      FinishOnce();
      return;
    }
    if (queue_.empty()) return;
    out_ = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    StartWrite(&out_);
  }

  void End(const grpc::Status& status) {
    if (ended_) return;
    ended_ = true;
    status_ = status;
    if (session_ != 0) services_.hub.OnClosed(session_);
    queue_.clear();
    if (!writing_) {
      FinishOnce();
      return;
    }
    last_write_.expires_after(kLastWriteWithin);
    last_write_.async_wait([self = self_](boost::system::error_code error) {
      if (!error && !self->finished_) self->context_->TryCancel();
    });
  }

  void FinishOnce() {
    if (finished_) return;
    finished_ = true;
    last_write_.cancel();
    Finish(status_);
  }

  Services services_;
  grpc::CallbackServerContext* context_;  // valid until OnDone
  std::shared_ptr<StreamReactor> self_;
  grpc::ByteBuffer in_, out_;
  // Executor's thread only:
  Hub::SessionId session_ = 0;
  std::deque<grpc::ByteBuffer> queue_;
  grpc::Status status_;
  boost::asio::steady_timer last_write_;
  bool writing_ = false, ended_ = false, finished_ = false;
};

// The one call that needs no certificate: a message in, a message out.
class EnrolReactor : public grpc::ServerGenericBidiReactor,
                     public std::enable_shared_from_this<EnrolReactor> {
 public:
  EnrolReactor(Services services, grpc::CallbackServerContext* context)
      : services_(std::move(services)), context_(context), late_(services_.executor) {}

  void Start() {
    self_ = shared_from_this();
    Post([](EnrolReactor& call) {
      call.late_.expires_after(kEnrolWithin);
      call.late_.async_wait([self = call.self_](boost::system::error_code error) {
        if (!error) self->End(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no request came"));
      });
      call.StartRead(&call.in_);
    });
  }

  void OnReadDone(bool ok) override {
    auto request = std::make_shared<v1::EnrolRequest>();
    grpc::ProtoBufferReader reader(&in_);
    ok = ok && in_.Length() <= kEnrolBytes && request->ParseFromZeroCopyStream(&reader);
    Post([ok, request](EnrolReactor& call) {
      if (!ok) {
        call.services_.counters.Reject("garbage", call.context_->peer());
        return call.End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "refused: garbage"));
      }
      call.services_.enrol(*request, call.context_->peer(),
                           [self = call.self_](const absl::StatusOr<v1::EnrolReply>& reply) {
                             self->Answer(reply);
                           });
    });
  }

  void OnDone() override {
    Post([](EnrolReactor& call) {
      call.ended_ = true;  // the caller may have gone before its answer
      call.late_.cancel();
      call.self_.reset();
    });
  }

 private:
  template <typename Step>
  void Post(Step step) {
    boost::asio::post(services_.executor, [self = self_, step = std::move(step)] { step(*self); });
  }

  void Answer(const absl::StatusOr<v1::EnrolReply>& reply) {
    if (!reply.ok()) return End(ToGrpc(reply.status()));
    if (std::exchange(ended_, true)) return;
    late_.cancel();
    const std::string bytes = reply->SerializeAsString();
    const grpc::Slice slice(bytes);
    out_ = grpc::ByteBuffer(&slice, 1);
    StartWriteAndFinish(&out_, grpc::WriteOptions(), grpc::Status::OK);
  }

  void End(const grpc::Status& status) {
    if (std::exchange(ended_, true)) return;
    late_.cancel();
    Finish(status);
  }

  Services services_;
  grpc::CallbackServerContext* context_;  // valid until OnDone
  std::shared_ptr<EnrolReactor> self_;
  grpc::ByteBuffer in_, out_;
  boost::asio::steady_timer late_;
  bool ended_ = false;  // executor's thread only
};

class Refusal : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

// Every call of every method comes in here; what is not named needs a valid certificate, whether
// or not there is such a method.
class Door : public grpc::CallbackGenericService {
 public:
  explicit Door(Services services) : services_(std::move(services)) {}
  // Before the first call.
  void set_on_stream(std::function<void(const std::string& peer)> on_stream) {
    services_.on_stream = std::move(on_stream);
  }

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    const std::string address(context->peer());
    boost::asio::post(services_.executor,
                      [on_stream = services_.on_stream, address] { on_stream(address); });
    if (context->method() == kEnrolMethod) {
      const auto call = std::make_shared<EnrolReactor>(services_, context);
      call->Start();
      return call.get();
    }
    const auto peer = services_.verifier.Verify(ChainOf(*context), services_.clock.Now());
    if (!peer.ok()) {
      services_.counters.Reject("certificate", address, std::string(peer.status().message()));
      return new Refusal(
          grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::string(peer.status().message())));
    }
    if (context->method() != kStreamMethod) {
      services_.counters.Reject("unknown_method", peer->identity.host, context->method());
      return new Refusal(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no such method"));
    }
    const auto stream = std::make_shared<StreamReactor>(services_, context);
    stream->Start(*peer);
    return stream.get();
  }

 private:
  Services services_;
};

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(GrpcServerOptions options, const Services& services)
      : address_(std::move(options.address)),
        credentials_(options.identity),
        door_(services),
        acceptor_(services.executor, services.counters) {
    door_.set_on_stream([this](const std::string& peer) { acceptor_.Established(peer); });
  }

  absl::Status Start() {
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&door_);
    builder.SetMaxReceiveMessageSize(kReceiveBytes);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kMinPingIntervalMs);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
    connections_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        credentials_.ForGrpc());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr)
      return absl::InternalError("gRPC did not start; is the key the certificate's?");
    return acceptor_.Listen(address_, [this](int fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.listener_fd = -1;
      connection.fd = fd;
      connections_->HandleNewConnection(&connection);
    });
  }

  uint16_t port() const { return acceptor_.port(); }

  void Show(const ServerIdentity& identity) { credentials_.Set(identity); }
  void StopAccepting() { acceptor_.Close(); }

  void Shutdown() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + kShutdownWithin);
  }

 private:
  std::string address_;
  ServerCredentials credentials_;
  Door door_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::unique_ptr<grpc::Server> server_;
  Acceptor acceptor_;
};

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() = default;

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    GrpcServerOptions options, boost::asio::any_io_executor executor, Hub& hub,
    const PeerVerifier& verifier, const Clock& clock, Counters& counters) {
  const Services services{std::move(executor), hub,    verifier, clock, counters,
                          options.enrol,       nullptr};
  auto impl = std::make_unique<Impl>(std::move(options), services);
  if (auto status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

uint16_t GrpcServer::port() const { return impl_->port(); }
void GrpcServer::Show(const ServerIdentity& identity) { impl_->Show(identity); }
void GrpcServer::StopAccepting() { impl_->StopAccepting(); }
void GrpcServer::Shutdown() { impl_->Shutdown(); }

}  // namespace oppetid::collector
