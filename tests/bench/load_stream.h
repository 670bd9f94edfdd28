// One pretended agent's stream to the collector: mTLS as agents speak it, a connection of its own.
//
// Threading: calls come from, and events go to, the executor's thread. Lifetime: keeps itself alive
// until `on_closed`, which comes once, last, whatever happens.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "oppetid/v1/telemetry.grpc.pb.h"

namespace oppetid::load {

struct StreamEvents {
  std::function<void(const v1::CollectorFrame&)> on_frame;
  std::function<void(const std::string& why)> on_closed;
};

class Stream : public grpc::ClientBidiReactor<grpc::ByteBuffer, v1::CollectorFrame> {
 public:
  static std::shared_ptr<Stream> Open(boost::asio::any_io_executor executor,
                                      const std::string& address,
                                      const grpc::SslCredentialsOptions& tls, StreamEvents events);

  void Send(const v1::AgentFrame& frame) { SendBytes(frame.SerializeAsString()); }
  // One message of any content.
  void SendBytes(const std::string& bytes);
  void Cancel() { context_.TryCancel(); }
  // Frames that gRPC has not taken yet.
  size_t waiting() const { return queue_.size(); }

 private:
  Stream(boost::asio::any_io_executor executor, StreamEvents events)
      : executor_(std::move(executor)), events_(std::move(events)) {}
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  void Post(std::function<void(Stream&)> step);
  void WriteNext();

  boost::asio::any_io_executor executor_;
  StreamEvents events_;
  std::shared_ptr<Stream> self_;
  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::TemplatedGenericStub<grpc::ByteBuffer, v1::CollectorFrame>> stub_;
  v1::CollectorFrame in_;
  std::deque<grpc::ByteBuffer> queue_;
  bool writing_ = false, ended_ = false;
};

}  // namespace oppetid::load
