#include "tests/bench/load_stream.h"

#include <boost/asio/post.hpp>

namespace oppetid::load {
namespace {

// As agent/grpc_link.cc has them.
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;

}  // namespace

std::shared_ptr<Stream> Stream::Open(boost::asio::any_io_executor executor,
                                     const std::string& address,
                                     const grpc::SslCredentialsOptions& tls, StreamEvents events) {
  std::shared_ptr<Stream> self(new Stream(std::move(executor), std::move(events)));
  self->self_ = self;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  self->channel_ = grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
  self->stub_ = std::make_unique<grpc::TemplatedGenericStub<grpc::ByteBuffer, v1::CollectorFrame>>(
      self->channel_);
  self->stub_->PrepareBidiStreamingCall(&self->context_, "/oppetid.v1.Telemetry/Stream", {},
                                        self.get());
  self->AddHold();  // writes come from outside of reactions
  self->StartRead(&self->in_);
  self->StartCall();
  return self;
}

void Stream::SendBytes(const std::string& bytes) {
  if (ended_) return;
  const grpc::Slice slice(bytes);
  queue_.emplace_back(&slice, 1);
  WriteNext();
}

void Stream::WriteNext() {
  if (writing_ || ended_ || queue_.empty()) return;
  writing_ = true;
  StartWrite(&queue_.front());
}

void Stream::OnReadDone(bool ok) {
  if (!ok) {
    Post([](Stream& stream) {
      stream.ended_ = true;
      stream.RemoveHold();
    });
    return;
  }
  Post([](Stream& stream) {
    const v1::CollectorFrame frame = std::move(stream.in_);
    stream.in_.Clear();
    stream.StartRead(&stream.in_);
    stream.events_.on_frame(frame);
  });
}

void Stream::OnWriteDone(bool ok) {
  if (!ok) return;  // the read fails too, and that is the end
  Post([](Stream& stream) {
    stream.writing_ = false;
    stream.queue_.pop_front();
    stream.WriteNext();
  });
}

void Stream::OnDone(const grpc::Status& status) {
  const std::string why =
      status.ok() ? "the collector ended the stream" : std::string(status.error_message());
  Post([why](Stream& stream) {
    const auto keep = std::exchange(stream.self_, nullptr);
    stream.events_.on_closed(why);
    // What the events refer to may hold this stream.
    stream.events_ = {};
  });
}

void Stream::Post(std::function<void(Stream&)> step) {
  boost::asio::post(executor_, [self = self_, step = std::move(step)] { step(*self); });
}

}  // namespace oppetid::load
