#include "tests/bench/load_sink.h"

#include <grpcpp/grpcpp.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <deque>
#include <mutex>

#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "oppetid/v1/telemetry.grpc.pb.h"

namespace oppetid::load {
namespace {

// Everything happens on gRPC's threads: for one stream its reactions come one after another.
class SinkReactor : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  SinkReactor() { StartRead(&in_); }
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    v1::AgentFrame frame;
    grpc::ProtoBufferReader reader(&in_);
    const bool decoded = frame.ParseFromZeroCopyStream(&reader);
    in_.Clear();
    if (!decoded) {
      Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "not decoded"));
      return;
    }
    Answer(frame);
    StartRead(&in_);
  }
  void OnWriteDone(bool) override {
    const std::lock_guard lock(mutex_);
    queue_.pop_front();
    if (!queue_.empty()) StartWrite(&queue_.front());
  }
  void OnDone() override { delete this; }

 private:
  void Answer(const v1::AgentFrame& frame) {
    v1::CollectorFrame answer;
    if (frame.has_hello()) {
      answer.mutable_welcome()->set_ledger_id("none");
    } else if (frame.has_facts()) {
      const v1::Facts& facts = frame.facts();
      answer.mutable_ack()->set_epoch(facts.epoch());
      answer.mutable_ack()->set_last_sequence(facts.first_sequence() - 1 +
                                              static_cast<uint64_t>(facts.facts_size()));
    } else {
      return;
    }
    const grpc::Slice slice(answer.SerializeAsString());
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(&slice, 1);
    if (queue_.size() == 1) StartWrite(&queue_.front());
  }

  grpc::ByteBuffer in_;
  std::mutex mutex_;
  std::deque<grpc::ByteBuffer> queue_;
};

class SinkService : public v1::Telemetry::WithRawCallbackMethod_Stream<v1::Telemetry::Service> {
 public:
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Stream(
      grpc::CallbackServerContext*) override {
    return new SinkReactor();
  }
};

}  // namespace

int RunSink(const std::string& directory) {
  const auto ca = ReadFile(directory + "/ca.pem");
  const auto certificate = ReadFile(directory + "/server.pem");
  const auto key = ReadSecretFile(directory + "/server.key");
  if (!ca.ok() || !certificate.ok() || !key.ok()) return 1;
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  tls.pem_root_certs = *ca;
  tls.pem_key_cert_pairs.push_back({*key, *certificate});
  SinkService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(2 * limits::kFrameBytes);
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  LogInfo("started", {{"grpc_port", port}});
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([](boost::system::error_code, int) {});
  io.run();
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

}  // namespace oppetid::load
