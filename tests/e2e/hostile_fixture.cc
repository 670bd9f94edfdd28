#include "tests/e2e/hostile_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "tests/bench/load_stream.h"

namespace oppetid {

using load::Payload;
using load::Shape;
using load::Stream;

namespace {

grpc::SslCredentialsOptions Tls(const CollectorProcess& collector,
                                const std::optional<TestCertificate>& certificate) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = collector.ca().certificate();
  if (certificate) {
    tls.pem_cert_chain = certificate->certificate;
    tls.pem_private_key = certificate->key;
  }
  return tls;
}

}  // namespace

GoodAgent::GoodAgent(const CollectorProcess& collector)
    : payload_(Shape{20, 3, Millis(1'000)}, 0, 7) {
  const auto tls = Tls(collector, AgentCertificate(collector.ca(), "good", "well-behaved"));
  boost::asio::post(io_, [this, tls, address = collector.grpc()] {
    stream_ = Stream::Open(io_.get_executor(), address, tls,
                           {[this](const v1::CollectorFrame& frame) { OnFrame(frame); },
                            [this](const std::string&) { OnClosed(); }});
    stream_->Send(payload_.Hello(clock_.Now()));
  });
  thread_ = std::thread([this] { io_.run(); });
}

GoodAgent::~GoodAgent() {
  boost::asio::post(io_, [this] {
    ending_ = true;
    timer_.cancel();
    if (stream_ == nullptr) {
      work_.reset();
    } else {
      stream_->Cancel();
    }
  });
  thread_.join();
}

void GoodAgent::OnFrame(const v1::CollectorFrame& frame) {
  if (frame.has_welcome()) {
    stream_->Send(payload_.Definitions(clock_.Now()));
    SendFact();
  }
  if (!frame.has_ack()) return;
  const auto took = std::chrono::duration_cast<Millis>(clock_.SteadyNow() - sent_);
  slowest_ms_ = std::max<int64_t>(slowest_ms_, took.count());
  ++acks_;
  timer_.expires_after(kPause);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || stream_ == nullptr) return;
    stream_->Send(payload_.Next(clock_.Now()));
    SendFact();
  });
}

void GoodAgent::SendFact() {
  sent_ = clock_.SteadyNow();
  stream_->Send(payload_.Change(clock_.Now()));
}

void GoodAgent::OnClosed() {
  stream_.reset();
  lost_ = !ending_;
  if (ending_) work_.reset();
}

Client::Client(const CollectorProcess& collector,
               const std::optional<TestCertificate>& certificate) {
  stream_ = Stream::Open(io_.get_executor(), collector.grpc(), Tls(collector, certificate),
                         {[this](const v1::CollectorFrame& frame) { frames_.push_back(frame); },
                          [this](const std::string& why) {
                            ended_ = why;
                            stream_.reset();
                          }});
}

Client::~Client() {
  if (stream_ != nullptr) stream_->Cancel();
  AwaitEnd();
}

void Client::Send(const v1::AgentFrame& frame) {
  if (stream_ != nullptr) stream_->Send(frame);
}

void Client::SendBytes(const std::string& bytes) {
  if (stream_ != nullptr) stream_->SendBytes(bytes);
}

std::string Client::AwaitEnd() {
  Run([this] { return ended_.has_value(); });
  return ended_.value_or("");
}

v1::CollectorFrame Client::Await() {
  Run([this] { return ended_ || frames_.size() > taken_; });
  return frames_.size() > taken_ ? frames_[taken_++] : v1::CollectorFrame();
}

void Client::Run(const std::function<bool()>& until) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!until() && std::chrono::steady_clock::now() < end) io_.run_one_until(end);
}

Socket::Socket(const CollectorProcess& collector) {
  const std::string& address = collector.grpc();
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connected_ = fd_ >= 0 && ::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0;
}

Socket::Socket(Socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

void Socket::Send(std::string_view text) const {
  ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
}

bool Socket::AwaitClose(std::chrono::seconds within) const {
  pollfd wait{fd_, POLLIN, 0};
  char byte;
  return ::poll(&wait, 1, static_cast<int>(Millis(within).count())) == 1 &&
         ::recv(fd_, &byte, 1, 0) <= 0;
}

Ending CallAnyMethod(const CollectorProcess& collector, const std::string& method,
                     const std::optional<TestCertificate>& certificate) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  grpc::GenericStub stub(grpc::CreateCustomChannel(
      collector.grpc(), grpc::SslCredentials(Tls(collector, certificate)), arguments));
  grpc::ClientContext context;
  const auto within = static_cast<int64_t>(kPatience.count());
  context.set_deadline(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(within, GPR_TIMESPAN)));
  grpc::CompletionQueue queue;
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer answer;
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::Status status;
  call->Finish(&answer, &status, &queue);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  return {status.error_code() == grpc::StatusCode::UNAUTHENTICATED,
          status.error_code() == grpc::StatusCode::UNIMPLEMENTED, status.error_message()};
}

}  // namespace oppetid
