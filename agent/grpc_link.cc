#include "agent/grpc_link.h"

#include <grpcpp/grpcpp.h>

#include <boost/asio/post.hpp>

#include "common/limits.h"
#include "oppetid/v1/telemetry.grpc.pb.h"

namespace oppetid::agent {
namespace {

// A dead peer is noticed after the sum of these; the collector allows pings this often.
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;

}  // namespace

// Keeps itself alive until gRPC is done with it. Writes and closing come from the agent's thread,
// reactions from gRPC's; each read is started only after the agent has taken the one before.
class GrpcLink::Stream : public grpc::ClientBidiReactor<v1::AgentFrame, v1::CollectorFrame>,
                         public std::enable_shared_from_this<Stream> {
 public:
  Stream(boost::asio::any_io_executor executor, std::weak_ptr<LinkEvents> events)
      : executor_(std::move(executor)), events_(std::move(events)) {}

  void Start(const std::string& address, const grpc::SslCredentialsOptions& tls) {
    self_ = shared_from_this();
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    // Reconnecting is the uplink's business: a fresh connection for every stream.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // To the collector straight: a proxy set for apt or browsers is not meant for it.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetMaxReceiveMessageSize(limits::kFrameBytes);
    channel_ = grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
    stub_ = v1::Telemetry::NewStub(channel_);
    stub_->async()->Stream(&context_, this);
    AddHold();  // writes come from outside of reactions
    StartRead(&in_);
    StartCall();
  }

  void Write(const v1::AgentFrame& frame) {
    if (ended_) return;
    out_ = frame;
    StartWrite(&out_);
  }

  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Post(&Stream::End);
      return;
    }
    Post(&Stream::Deliver);
  }
  void OnWriteDone(bool ok) override {
    if (ok) Post(&Stream::Sent);
  }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    Post(&Stream::Closed);
  }

 private:
  void Post(void (Stream::*step)()) {
    boost::asio::post(executor_, [self = self_, step] { (self.get()->*step)(); });
  }
  void Deliver() {
    const v1::CollectorFrame frame = std::move(in_);
    in_.Clear();
    StartRead(&in_);
    if (const auto events = events_.lock()) events->on_frame(frame);
  }
  void Sent() {
    if (const auto events = events_.lock()) events->on_sent();
  }
  // The read side has ended: nothing is written any more, and gRPC may finish.
  void End() {
    ended_ = true;
    RemoveHold();
  }
  void Closed() {
    const auto keep = std::exchange(self_, nullptr);
    if (const auto events = events_.lock()) {
      events->on_closed(status_.ok() ? "the collector ended the stream" : status_.error_message());
    }
  }

  boost::asio::any_io_executor executor_;
  std::weak_ptr<LinkEvents> events_;
  std::shared_ptr<Stream> self_;
  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Telemetry::Stub> stub_;
  v1::AgentFrame out_;
  v1::CollectorFrame in_;
  grpc::Status status_;
  bool ended_ = false;  // agent's thread only
};

GrpcLink::GrpcLink(boost::asio::any_io_executor executor, TlsFiles files)
    : executor_(std::move(executor)), files_(std::move(files)) {}

GrpcLink::~GrpcLink() = default;

void GrpcLink::set_events(LinkEvents events) {
  events_ = std::make_shared<LinkEvents>(std::move(events));
}

void GrpcLink::Open(const std::string& address) {
  grpc::SslCredentialsOptions tls;
  const auto credentials = LoadCredentials(files_);
  if (!credentials.ok()) {
    stream_.reset();
    boost::asio::post(executor_,
                      [events = events_, reason = std::string(credentials.status().message())] {
                        events->on_closed(reason);
                      });
    return;
  }
  tls.pem_root_certs = credentials->ca;
  tls.pem_cert_chain = credentials->certificate;
  tls.pem_private_key = credentials->key;
  stream_ = std::make_shared<Stream>(executor_, events_);
  stream_->Start(address, tls);
}

void GrpcLink::Send(const v1::AgentFrame& frame) {
  if (stream_ != nullptr) stream_->Write(frame);
}

void GrpcLink::Close() {
  if (stream_ != nullptr) stream_->Cancel();
}

}  // namespace oppetid::agent
