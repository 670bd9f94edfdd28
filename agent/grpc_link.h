// The uplink's link over gRPC: one bidirectional stream with mutual TLS.
//
// With enrol_call.cc the only file of the agent that includes gRPC. gRPC's threads only move bytes;
// every event is posted to the agent's executor. Threading: calls from the agent's thread.
// Lifetime: destroying the link cancels its stream and waits for gRPC to let go; no event follows.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "agent/credentials.h"
#include "agent/uplink.h"

namespace oppetid::agent {

struct LinkEvents {
  std::function<void(const v1::CollectorFrame&)> on_frame;
  std::function<void()> on_sent;
  std::function<void(const std::string& reason)> on_closed;
};

class GrpcLink : public Link {
 public:
  // The files are read anew for every stream, so renewed certificates take effect by themselves.
  GrpcLink(boost::asio::any_io_executor executor, TlsFiles files);
  ~GrpcLink() override;

  void set_events(LinkEvents events);

  void Open(const std::string& address) override;
  void Send(const v1::AgentFrame& frame) override;
  void Close() override;

 private:
  class Stream;
  class Waiter;
  boost::asio::any_io_executor executor_;
  TlsFiles files_;
  std::shared_ptr<LinkEvents> events_;
  std::unique_ptr<Waiter> waiter_;  // from the first stream on
  std::shared_ptr<Stream> stream_;
};

}  // namespace oppetid::agent
