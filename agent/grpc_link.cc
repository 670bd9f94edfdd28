#include "agent/grpc_link.h"

#include <grpcpp/grpcpp.h>
#include <pthread.h>

#include <boost/asio/post.hpp>
#include <thread>

#include "common/limits.h"
#include "oppetid/v1/telemetry.grpc.pb.h"

namespace oppetid::agent {
namespace {

// A dead peer is noticed after the sum of these; the collector allows pings this often.
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;

}  // namespace

// Every operation under way keeps the stream alive. All but gRPC's moving of bytes happens on the
// agent's thread.
class GrpcLink::Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(std::weak_ptr<LinkEvents> events) : events_(std::move(events)) {}

  void Start(const std::string& address, const grpc::SslCredentialsOptions& tls,
             grpc::CompletionQueue& queue) {
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
    rpc_ = stub_->PrepareAsyncStream(&context_, &queue);
    rpc_->StartCall(Then(&Stream::Started));
  }  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): gRPC holds the step

  void Write(const v1::AgentFrame& frame) {
    if (ended_) return;
    out_ = frame;
    waiting_ = true;
    if (started_) WriteWaiting();
  }

  void Cancel() { context_.TryCancel(); }

  // What follows an operation; gRPC carries it as the operation's tag.
  struct Step {
    std::shared_ptr<Stream> stream;
    void (Stream::*then)(bool ok);
    void Run(bool ok) const { (stream.get()->*then)(ok); }
  };

 private:
  // Owned by gRPC until the queue gives it back.
  void* Then(void (Stream::*then)(bool ok)) {
    return std::make_unique<Step>(Step{shared_from_this(), then}).release();
  }

  void Started(bool ok) {
    if (!ok) {
      End();
      return;
    }
    started_ = true;
    rpc_->Read(&in_, Then(&Stream::Delivered));
    if (waiting_) WriteWaiting();
  }
  void WriteWaiting() {
    waiting_ = false;
    rpc_->Write(out_, Then(&Stream::Sent));
  }
  void Sent(bool ok) {
    if (!ok) return;  // the read side tells the end
    if (const auto events = events_.lock()) events->on_sent();
  }
  void Delivered(bool ok) {
    if (!ok) {
      End();
      return;
    }
    const v1::CollectorFrame frame = std::move(in_);
    in_.Clear();
    rpc_->Read(&in_, Then(&Stream::Delivered));
    if (const auto events = events_.lock()) events->on_frame(frame);
  }
  // The read side has ended: nothing is written any more.
  void End() {
    ended_ = true;
    rpc_->Finish(&status_, Then(&Stream::Closed));
  }
  void Closed(bool /*ok: always, for a client*/) {
    if (const auto events = events_.lock()) {
      events->on_closed(status_.ok() ? "the collector ended the stream" : status_.error_message());
    }
  }

  std::weak_ptr<LinkEvents> events_;
  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Telemetry::Stub> stub_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::AgentFrame, v1::CollectorFrame>> rpc_;
  v1::AgentFrame out_;
  v1::CollectorFrame in_;
  grpc::Status status_;
  bool started_ = false;
  bool waiting_ = false;  // out_ is to be written once it has started
  bool ended_ = false;
};

// One thread that waits for gRPC and posts what it says. gRPC's own for the callback interface are
// two, and wake up several times a second for nothing.
class GrpcLink::Waiter {
 public:
  explicit Waiter(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)), thread_([this] { Wait(); }) {
    pthread_setname_np(thread_.native_handle(), "grpc-link");
  }
  // The operations under way end first: whoever destroys this has cancelled them.
  ~Waiter() {
    queue_.Shutdown();
    thread_.join();
  }
  grpc::CompletionQueue& queue() { return queue_; }

 private:
  void Wait() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      std::unique_ptr<Stream::Step> step(static_cast<Stream::Step*>(tag));
      boost::asio::post(executor_, [step = std::move(step), ok] { step->Run(ok); });
    }
  }

  boost::asio::any_io_executor executor_;
  grpc::CompletionQueue queue_;
  std::thread thread_;
};

GrpcLink::GrpcLink(boost::asio::any_io_executor executor, TlsFiles files)
    : executor_(std::move(executor)), files_(std::move(files)) {}

GrpcLink::~GrpcLink() { Close(); }

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
  if (waiter_ == nullptr) waiter_ = std::make_unique<Waiter>(executor_);
  stream_ = std::make_shared<Stream>(events_);
  stream_->Start(address, tls, waiter_->queue());
}

void GrpcLink::Send(const v1::AgentFrame& frame) {
  if (stream_ != nullptr) stream_->Write(frame);
}

void GrpcLink::Close() {
  if (stream_ != nullptr) stream_->Cancel();
}

}  // namespace oppetid::agent
