// A Link that keeps what it was told; the test plays the collector. Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "agent/uplink.h"

namespace oppetid::agent {

class FakeLink : public Link {
 public:
  void Open(const std::string& address) override { opened.push_back(address); }
  void Send(const v1::AgentFrame& frame) override { sent.push_back(frame); }
  void Close() override { ++closed; }

  std::vector<std::string> opened;
  std::vector<v1::AgentFrame> sent;  // of all streams
  int closed = 0;
};

}  // namespace oppetid::agent
