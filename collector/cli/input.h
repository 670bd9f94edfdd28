// The files of the offline commands: read line by line with bounded memory, hashed on the way.
//
// One thread; blocking reads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/report/facts_reader.h"

namespace oppetid::collector {

// SHA-256 of everything added, in the order added.
class Digest {
 public:
  Digest();
  ~Digest();
  void Add(std::string_view bytes);
  std::string Hex();  // once, at the end

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Calls `line` with each line (without its newline) and its number from 1, until it returns false.
// A line beyond kMaxLineBytes and a file that cannot be read are faults.
void ForEachLine(const std::string& path, Findings& findings, Digest& digest,
                 const std::function<bool(std::string_view, int)>& line);

// What a call of the calculator names; empty paths: not given.
struct InputFiles {
  std::string catalogue;
  std::string history;
  std::string tickets;
};

struct Input {
  std::optional<Catalogue> catalogue;  // nullopt: there were faults
  Facts facts;
  // Over the bytes of catalogue, history and tickets, in this order:
  // `cat catalogue.yaml history.jsonl tickets.jsonl | sha256sum`.
  std::string sha256;
  std::vector<std::string> faults;
  std::vector<std::string> warnings;
};

Input ReadInput(const InputFiles& files);

// As ReadInput, from the texts themselves; there are always all three.
struct InputTexts {
  std::string catalogue;
  std::string history;
  std::string tickets;
};
Input ReadTexts(const InputTexts& texts);

// Prints warnings, then faults, one a line, to stderr.
void PrintFindings(const Input& input);

}  // namespace oppetid::collector
