// A real Request Tracker on loopback, with the story of tests/support/rt/seed behind it.
//
// It takes some three seconds to start, so the tests of a program share one. Threading: one thread.
// Lifetime: the process ends with the object.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

namespace oppetid {

class RtServer {
 public:
  static absl::StatusOr<std::unique_ptr<RtServer>> Start();

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/REST/2.0"; }
  // The token of one of its users: root, reader, tekniker1 …
  std::string token(const std::string& user) const;
  // Changes something as `user`; the status of the answer.
  int Put(const std::string& user, const std::string& path, const std::string& json) const;

 private:
  TempDir directory_;
  uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace oppetid
