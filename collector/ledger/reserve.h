// A file that takes up room beside the ledger, to be given up when the disk is full.
//
// Threading: that of the ledger's writer. Lifetime: the file stays when this ends.
#pragma once

#include <string>

#include "common/instant.h"

namespace oppetid::collector {

class Reserve {
 public:
  explicit Reserve(std::string path) : path_(std::move(path)) {}

  // Takes the room if it is not taken, at most once a minute. A disk that has none is no error:
  // then there is nothing to give up.
  void Keep(Instant now);
  // Gives the room up; false where there was none.
  bool Release();

 private:
  std::string path_;
  bool kept_ = false;
  Instant next_try_{};
};

}  // namespace oppetid::collector
