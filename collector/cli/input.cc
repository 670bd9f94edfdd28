#include "collector/cli/input.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "collector/report/catalogue_reader.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr size_t kChunkBytes = 1 << 20;
constexpr size_t kMaxCatalogueBytes = 5'000'000;  // the parser's own bound is lower, and says so

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// Cuts chunks into lines; only an unfinished line is kept.
class Splitter {
 public:
  Splitter(Findings& findings, const std::function<bool(std::string_view, int)>& line)
      : findings_(findings), line_(line) {}

  bool Add(std::string_view chunk) {
    while (!chunk.empty()) {
      const size_t end = chunk.find('\n');
      const std::string_view piece = chunk.substr(0, end);
      const bool too_long = rest_.size() + piece.size() > kMaxLineBytes;
      if (too_long && !skipping_) {
        findings_.Fault(number_, "the line is longer than " + std::to_string(kMaxLineBytes) +
                                     " bytes; each fact is one line");
        skipping_ = true;
      }
      if (end == std::string_view::npos) {
        if (!skipping_) rest_ += piece;
        return true;
      }
      if (!Emit(piece)) return false;
      chunk.remove_prefix(end + 1);
    }
    return true;
  }

  // The last line may lack its newline.
  void Finish() {
    if (!rest_.empty()) Emit("");
  }

 private:
  bool Emit(std::string_view piece) {
    bool go_on = !findings_.full();
    if (!skipping_ && rest_.empty()) {
      go_on = line_(piece, number_);
    } else if (!skipping_) {
      rest_ += piece;
      go_on = line_(rest_, number_);
    }
    rest_.clear();
    skipping_ = false;
    ++number_;
    return go_on;
  }

  Findings& findings_;
  const std::function<bool(std::string_view, int)>& line_;
  std::string rest_;
  bool skipping_ = false;
  int number_ = 1;
};

}  // namespace

struct Digest::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
};

Digest::Digest() : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr);
}

Digest::~Digest() { EVP_MD_CTX_free(context_->md); }

void Digest::Add(std::string_view bytes) {
  EVP_DigestUpdate(context_->md, bytes.data(), bytes.size());
}

std::string Digest::Hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_->md, bytes.data(), &size);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 15];
  }
  return hex;
}

void ForEachLine(const std::string& path, Findings& findings, Digest& digest,
                 const std::function<bool(std::string_view, int)>& line) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rbe"));
  if (!file) {
    findings.FileFault(std::string("cannot be opened: ") + std::strerror(errno));
    return;
  }
  Splitter splitter(findings, line);
  std::string chunk(kChunkBytes, '\0');
  while (true) {
    const size_t size = std::fread(chunk.data(), 1, chunk.size(), file.get());
    digest.Add({chunk.data(), size});
    if (!splitter.Add({chunk.data(), size})) return;
    if (size < chunk.size()) break;
  }
  if (std::ferror(file.get()) != 0) {
    findings.FileFault(std::string("cannot be read: ") + std::strerror(errno));
    return;
  }
  splitter.Finish();
}

namespace {

// One of the inputs: a file, or a text that is called by a name.
struct Part {
  std::string name;  // empty: not given
  const std::string* text = nullptr;
};

absl::StatusOr<std::string> Whole(const Part& part) {
  if (part.text != nullptr) return *part.text;
  return ReadFile(part.name, kMaxCatalogueBytes);
}

void ForEachLineOf(const Part& part, Findings& findings, Digest& digest,
                   const std::function<bool(std::string_view, int)>& line) {
  if (part.name.empty()) return;
  if (part.text == nullptr) return ForEachLine(part.name, findings, digest, line);
  digest.Add(*part.text);
  Splitter splitter(findings, line);
  if (splitter.Add(*part.text)) splitter.Finish();
}

Input ReadParts(const Part& catalogue, const Part& of_history, const Part& of_tickets) {
  Input input;
  Digest digest;
  if (!catalogue.name.empty()) {
    Faults faults(catalogue.name);
    if (const auto text = Whole(catalogue); !text.ok()) {
      input.faults.push_back(OneLine(std::string(text.status().message())));
    } else {
      digest.Add(*text);
      input.catalogue = ReadCatalogue(*text, faults);
      for (const std::string& fault : faults.lines()) {
        if (input.faults.size() >= kMaxFaults) break;
        input.faults.push_back(fault);
      }
    }
  }
  Findings history(of_history.name), tickets(of_tickets.name);
  FactsReader reader(history, tickets, input.facts);
  ForEachLineOf(of_history, history, digest,
                [&](std::string_view text, int line) { return reader.HistoryLine(text, line); });
  ForEachLineOf(of_tickets, tickets, digest,
                [&](std::string_view text, int line) { return reader.TicketLine(text, line); });
  if (input.catalogue) reader.Conclude(*input.catalogue);
  for (const Findings* findings : {&history, &tickets}) {
    const auto& faults = findings->faults();
    const auto& warnings = findings->warnings();
    input.faults.insert(input.faults.end(), faults.begin(), faults.end());
    input.warnings.insert(input.warnings.end(), warnings.begin(), warnings.end());
  }
  input.sha256 = digest.Hex();
  return input;
}

}  // namespace

Input ReadInput(const InputFiles& files) {
  return ReadParts({files.catalogue}, {files.history}, {files.tickets});
}

Input ReadTexts(const InputTexts& texts) {
  return ReadParts({"catalogue", &texts.catalogue}, {"history", &texts.history},
                   {"tickets", &texts.tickets});
}

void PrintFindings(const Input& input) {
  for (const std::string& warning : input.warnings) std::cerr << warning << '\n';
  for (const std::string& fault : input.faults) std::cerr << fault << '\n';
}

}  // namespace oppetid::collector
