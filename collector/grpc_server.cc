#include "collector/grpc_server.h"

#include <grpcpp/grpcpp.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>

#include "collector/acceptor.h"
#include "common/limits.h"
#include "common/log.h"
#include "oppetid/v1/telemetry.grpc.pb.h"

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

struct Services {
  boost::asio::any_io_executor executor;
  Hub& hub;
  const PeerVerifier& verifier;
  const Clock& clock;
  Counters& counters;
  std::function<void(const std::string& peer)> on_stream;  // called on the executor's thread
};

// One agent's stream. gRPC calls the On… methods on its threads; the rest runs on the executor's.
// Keeps itself alive until OnDone.
class StreamReactor : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                      public SessionLink,
                      public std::enable_shared_from_this<StreamReactor> {
 public:
  StreamReactor(Services services, grpc::CallbackServerContext* context)
      : services_(std::move(services)), context_(context), last_write_(services_.executor) {}

  void Start() {
    self_ = shared_from_this();
    Post([peer = std::string(context_->peer())](StreamReactor& stream) {
      stream.services_.on_stream(peer);
    });
    const auto auth = context_->auth_context();
    std::string chain;
    // On a server OpenSSL's chain lacks the peer's own certificate, which must come first.
    for (const char* name : {"x509_pem_cert", "x509_pem_cert_chain"}) {
      for (const auto& value : auth->FindPropertyValues(name)) {
        chain.append(value.data(), value.size());
      }
    }
    auto peer = services_.verifier.Verify(chain, services_.clock.Now());
    if (!peer.ok()) {
      const std::string why(peer.status().message());
      services_.counters.Reject("certificate", context_->peer(), why);
      Finish(grpc::Status(grpc::StatusCode::UNAUTHENTICATED, why));
      return;
    }
    Post([peer = *peer](StreamReactor& stream) {
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
    End(grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message())));
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

class Service : public v1::Telemetry::WithRawCallbackMethod_Stream<v1::Telemetry::Service> {
 public:
  explicit Service(Services services) : services_(std::move(services)) {}
  // Before the first stream.
  void set_on_stream(std::function<void(const std::string& peer)> on_stream) {
    services_.on_stream = std::move(on_stream);
  }
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Stream(
      grpc::CallbackServerContext* context) override {
    const auto reactor = std::make_shared<StreamReactor>(services_, context);
    reactor->Start();
    return reactor.get();
  }

 private:
  Services services_;
};

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(GrpcServerOptions options, const Services& services)
      : options_(std::move(options)),
        service_(services),
        acceptor_(services.executor, services.counters) {
    service_.set_on_stream([this](const std::string& peer) { acceptor_.Established(peer); });
  }

  absl::Status Start() {
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
    tls.pem_root_certs = options_.ca_pem;
    tls.pem_key_cert_pairs.push_back({options_.key_pem, options_.certificate_pem});
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
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
        grpc::SslServerCredentials(tls));
    server_ = builder.BuildAndStart();
    if (server_ == nullptr)
      return absl::InternalError("gRPC did not start; is the key the certificate's?");
    return acceptor_.Listen(options_.address, [this](int fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.listener_fd = -1;
      connection.fd = fd;
      connections_->HandleNewConnection(&connection);
    });
  }

  uint16_t port() const { return acceptor_.port(); }

  void StopAccepting() { acceptor_.Close(); }

  void Shutdown() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + kShutdownWithin);
  }

 private:
  GrpcServerOptions options_;
  Service service_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::unique_ptr<grpc::Server> server_;
  Acceptor acceptor_;
};

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() = default;

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    GrpcServerOptions options, boost::asio::any_io_executor executor, Hub& hub,
    const PeerVerifier& verifier, const Clock& clock, Counters& counters) {
  auto impl = std::make_unique<Impl>(
      std::move(options), Services{std::move(executor), hub, verifier, clock, counters, nullptr});
  if (auto status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

uint16_t GrpcServer::port() const { return impl_->port(); }
void GrpcServer::StopAccepting() { impl_->StopAccepting(); }
void GrpcServer::Shutdown() { impl_->Shutdown(); }

}  // namespace oppetid::collector
