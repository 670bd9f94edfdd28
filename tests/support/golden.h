// Golden files: what a text must look like, kept in tests/testdata and looked at in reviews.
//
// With UPDATE_GOLDEN=1 in the environment a test rewrites its file instead of comparing.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "common/file.h"

namespace oppetid {

inline void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = std::string(OPPETID_SOURCE_DIR) + "/tests/testdata/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(ReplaceFile(path, text, 0644).ok());
    return;
  }
  const auto golden = ReadFile(path);
  ASSERT_TRUE(golden.ok()) << golden.status();
  EXPECT_EQ(text, *golden) << "if this is meant, run once with UPDATE_GOLDEN=1 and review " << path;
}

}  // namespace oppetid
