// dns: does one name server answer one question, and with the expected set? Ok when it does;
// critical when it refuses, knows no such name, answers something else, or not at all. One question
// over UDP, repeated twice when nothing comes, and over TCP when the answer is cut off.
#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <random>
#include <set>

#include "agent/sensors/datagram.h"
#include "agent/sensors/dns_message.h"
#include "agent/sensors/net.h"
#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using boost::asio::ip::udp;

constexpr uint16_t kDnsPort = 53;
constexpr size_t kMaxDatagram = 4096;  // we announce no more than 512, so this is generous
constexpr int kAttempts = 3;           // datagrams get lost; resolvers ask again too
constexpr auto kPatience =
    std::chrono::milliseconds(1000);  // per attempt; three fit a 5 s deadline
// Datagrams that are not our answer (stale, forged) and are passed over in one asking.
constexpr int kMaxStrays = 100;
constexpr size_t kMaxExpected = 100;  // a set of answers that fits a reply over UDP is far smaller

struct DnsConfig {
  boost::asio::ip::address server;
  uint16_t port = kDnsPort;
  std::string query;
  std::string type_name;
  DnsType type = DnsType::kA;
  std::set<std::string> expect;  // empty: any answer
};

// One reply, or why there is none.
struct Heard {
  std::optional<DnsReply> reply;
  std::string trouble;
  bool could_not_ask = false;
};

Heard Trouble(std::string why) { return {std::nullopt, std::move(why), false}; }

// An expected value in the form the decoder gives answers; nullopt when no answer can equal it.
std::optional<std::string> NormalValue(DnsType type, const std::string& text) {
  if (type == DnsType::kTxt) return text;
  if (type == DnsType::kA || type == DnsType::kAaaa) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(text, error);
    if (error || address.is_v4() != (type == DnsType::kA)) return std::nullopt;
    return address.to_string();
  }
  // Fields with a name among them: MX has one last, SRV too, SOA two first.
  std::string normal;
  size_t fields = 0;
  for (size_t start = 0; start <= text.size(); ++fields) {
    const size_t end = std::min(text.find(' ', start), text.size());
    const auto field = NormalDnsName(std::string_view(text).substr(start, end - start));
    if (!field) return std::nullopt;
    normal += (normal.empty() ? "" : " ") + *field;
    start = end + 1;
  }
  const size_t wanted = type == DnsType::kMx    ? 2
                        : type == DnsType::kSrv ? 4
                        : type == DnsType::kSoa ? 7
                                                : 1;
  if (fields != wanted) return std::nullopt;
  return normal;
}

bool IsOurs(const DnsReply& reply, uint16_t id, const DnsConfig& config) {
  if (reply.id != id) return false;
  if (reply.question.empty() && reply.rcode != 0) return true;
  return reply.question == config.query &&
         reply.question_type == static_cast<uint16_t>(config.type);
}

class DnsSensor : public Sensor {
 public:
  DnsSensor(DnsConfig config, World& world) : config_(std::move(config)), world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    const auto id = static_cast<uint16_t>(random_());
    const Steady start = world_.clock.SteadyNow();
    Heard heard = co_await AskOverUdp(id);
    if (heard.reply && heard.reply->truncated) heard = co_await AskOverTcp(id);
    const auto took = world_.clock.SteadyNow() - start;
    Answer answer = Judge(heard, took);
    if (heard.reply) {
      answer.samples.push_back({"probe_duration_seconds", {{"phase", "query"}}, Seconds(took)});
    }
    co_return answer;
  }

  State StateWhenLate() const override { return State::kCritical; }

 private:
  boost::asio::awaitable<Heard> AskOverUdp(uint16_t id) {
    auto socket = std::make_shared<udp::socket>(world_.executor);
    boost::system::error_code error;
    const udp::endpoint server(config_.server, config_.port);
    socket->open(server.protocol(), error);
    if (error) co_return Heard{std::nullopt, "cannot ask: " + error.message(), true};
    // Connected, so that the kernel drops what others send and tells when the port is closed.
    socket->connect(server, error);
    if (!error) socket->non_blocking(true, error);
    if (error) co_return Trouble("cannot reach the server: " + error.message());
    const auto query = BuildDnsQuery(id, config_.query, config_.type);
    std::array<uint8_t, kMaxDatagram> buffer{};
    int strays = 0;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const Steady until = std::chrono::steady_clock::now() + kPatience;
      socket->send(boost::asio::buffer(query), 0, error);
      if (error) co_return Trouble("cannot send: " + error.message());
      while (co_await ReadableBefore(socket, until)) {
        const size_t size = socket->receive(boost::asio::buffer(buffer), 0, error);
        if (error == boost::asio::error::would_block) continue;
        if (error) co_return Trouble("no answer: " + error.message());
        auto reply = ParseDnsReply(std::span<const uint8_t>(buffer).first(size));
        if (reply && IsOurs(*reply, id, config_)) co_return Heard{std::move(reply), "", false};
        if (++strays > kMaxStrays) co_return Trouble("only answers to other questions");
      }
    }
    co_return Trouble(strays > 0 ? "no answer that fits the question"
                                 : "no answer from the server");
  }

  boost::asio::awaitable<Heard> AskOverTcp(uint16_t id) {
    tcp::socket socket(world_.executor);
    boost::system::error_code error;
    co_await socket.async_connect(tcp::endpoint(config_.server, config_.port),
                                  redirect_error(use_awaitable, error));
    std::vector<uint8_t> message = BuildDnsQuery(id, config_.query, config_.type);
    const auto length = static_cast<uint16_t>(message.size());
    message.insert(message.begin(),
                   {static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length & 0xFF)});
    if (!error) {
      co_await boost::asio::async_write(socket, boost::asio::buffer(message),
                                        redirect_error(use_awaitable, error));
    }
    std::array<uint8_t, 2> prefix{};
    if (!error) {
      co_await boost::asio::async_read(socket, boost::asio::buffer(prefix),
                                       redirect_error(use_awaitable, error));
    }
    message.resize(static_cast<size_t>(prefix[0]) << 8 | prefix[1]);  // at most 64 kB
    if (!error) {
      co_await boost::asio::async_read(socket, boost::asio::buffer(message),
                                       redirect_error(use_awaitable, error));
    }
    if (error) co_return Trouble("cut off over UDP, and over TCP " + error.message());
    auto reply = ParseDnsReply(message);
    if (!reply || !IsOurs(*reply, id, config_) || reply->truncated) {
      co_return Trouble("no answer over TCP that fits the question");
    }
    co_return Heard{std::move(reply), "", false};
  }

  Answer Judge(const Heard& heard, Steady::duration took) const {
    Answer answer;
    answer.state = State::kCritical;
    const std::string question = config_.query + " " + config_.type_name;
    if (!heard.reply) {
      if (heard.could_not_ask) answer.state = State::kUnknown;
      answer.text = OneLine(question + ": " + heard.trouble);
      return answer;
    }
    if (heard.reply->rcode != 0) {
      answer.text = OneLine(question + ": " + DnsRcodeName(heard.reply->rcode));
      return answer;
    }
    std::set<std::string> seen;
    for (const DnsRecord& record : heard.reply->answers) {
      if (record.type == static_cast<uint16_t>(config_.type)) seen.insert(record.value);
    }
    if (seen.empty()) {
      answer.text = OneLine(question + ": no such record");
      return answer;
    }
    std::string values;
    for (const std::string& value : seen) values += (values.empty() ? "" : ", ") + value;
    if (!config_.expect.empty() && seen != config_.expect) {
      answer.text = OneLine(question + ": not the expected answer but " + values);
      return answer;
    }
    answer.state = State::kOk;
    const std::string count =
        seen.size() == 1 ? "1 answer" : std::to_string(seen.size()) + " answers";
    // The name is ours and may be long: what was seen comes first.
    answer.text = OneLine(count + " in " + FormatMs(took) + ": " + question);
    return answer;
  }

  DnsConfig config_;
  World& world_;
  std::random_device random_;
};

void ReadServer(YamlMap& config, DnsConfig& dns) {
  const std::string text = config.RequiredString("server");
  if (text.empty()) return;
  boost::system::error_code error;
  dns.server = boost::asio::ip::make_address(text, error);
  if (!error) return;
  const auto with_port = ParseHostPort(text);
  if (with_port) dns.server = boost::asio::ip::make_address(with_port->host, error);
  if (!with_port || error) {
    config.Fault("server",
                 "`server`: expected an address, with a port or without: 192.0.2.53, "
                 "192.0.2.53:5353, 2001:db8::53, [2001:db8::53]:5353");
    return;
  }
  dns.port = with_port->port;
}

}  // namespace

std::unique_ptr<Sensor> MakeDnsSensor(YamlMap& config, World& world) {
  DnsConfig dns;
  ReadServer(config, dns);
  dns.type_name =
      config.OneOf("type", {"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"}, "A");
  dns.type = ParseDnsType(dns.type_name).value_or(DnsType::kA);
  std::string query = config.RequiredString("query");
  if (dns.type == DnsType::kPtr) query = ReverseDnsName(query);
  const auto name = NormalDnsName(query);
  if (!name && !query.empty()) {
    config.Fault("query", "`query`: expected a name of at most 253 bytes, labels of 1 to 63");
  }
  dns.query = name.value_or("");
  const auto expected = config.Strings("expect");
  if (expected.size() > kMaxExpected) config.Fault("expect", "`expect`: at most 100 values");
  if (config.Has("expect") && expected.empty()) {
    config.Fault("expect", "`expect`: leave it out to accept any answer");
  }
  for (const std::string& text : expected) {
    const auto value = NormalValue(dns.type, text);
    if (!value) {
      config.Fault("expect", "`expect`: `" + OneLine(text, 60) + "` can be no answer of type " +
                                 dns.type_name);
    }
    dns.expect.insert(value.value_or(""));
  }
  return std::make_unique<DnsSensor>(std::move(dns), world);
}

}  // namespace oppetid::agent
