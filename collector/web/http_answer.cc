#include "collector/web/http_answer.h"

#include <zlib.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

namespace oppetid::collector {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

// Deflates a stream of chunks as one gzip member (RFC 1952). Level 1: a scrape is repetitive.
class Gzip {
 public:
  Gzip() { deflateInit2(&stream_, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY); }
  ~Gzip() { deflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  void Add(std::string_view in, bool last, std::string* out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    char buffer[65'536];
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer);
      stream_.avail_out = sizeof buffer;
      deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      out->append(buffer, sizeof buffer - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

// What is produced per chunk on the pool.
struct Chunk {
  std::string bytes;
  bool last = false;
};

// Wraps a source so that its output comes compressed.
ChunkSource Compressed(ChunkSource source) {
  auto gzip = std::make_shared<Gzip>();
  auto ended = std::make_shared<bool>(false);
  return [source = std::move(source), gzip, ended](std::string* out) {
    if (*ended) return false;
    std::string plain;
    *ended = !source(&plain);
    gzip->Add(plain, *ended, out);
    return true;
  };
}

// The answer to HEAD: what GET would say, without the body.
template <typename Stream>
boost::asio::awaitable<bool> WriteHead(Stream& stream, HttpResponse answer, bool keep_alive) {
  http::response<http::empty_body> head(static_cast<http::status>(answer.status), 11);
  head.set(http::field::content_type, answer.content_type);
  head.keep_alive(keep_alive);
  if (answer.chunks) {
    head.chunked(true);
  } else {
    head.content_length(answer.body.size());
  }
  http::response_serializer<http::empty_body> serializer(head);
  boost::system::error_code error;
  beast::get_lowest_layer(stream).expires_after(kHttpIdle);
  co_await http::async_write_header(stream, serializer,
                                    boost::asio::redirect_error(boost::asio::use_awaitable, error));
  co_return !error;
}

template <typename Stream>
boost::asio::awaitable<bool> WriteWhole(Stream& stream, HttpResponse answer, bool keep_alive) {
  http::response<http::string_body> message(static_cast<http::status>(answer.status), 11);
  message.set(http::field::content_type, answer.content_type);
  message.keep_alive(keep_alive);
  message.body() = std::move(answer.body);
  message.prepare_payload();
  boost::system::error_code error;
  beast::get_lowest_layer(stream).expires_after(kHttpIdle);
  co_await http::async_write(stream, message,
                             boost::asio::redirect_error(boost::asio::use_awaitable, error));
  co_return !error;
}

template <typename Stream>
boost::asio::awaitable<bool> WriteChunks(Stream& stream, BlockingPool& pool, HttpResponse answer,
                                         bool keep_alive, bool chunked) {
  http::response<http::empty_body> head(static_cast<http::status>(answer.status), 11);
  head.set(http::field::content_type, answer.content_type);
  if (answer.gzip) head.set(http::field::content_encoding, "gzip");
  head.keep_alive(keep_alive);
  head.chunked(chunked);
  http::response_serializer<http::empty_body> serializer(head);
  boost::system::error_code error;
  beast::get_lowest_layer(stream).expires_after(kHttpIdle);
  co_await http::async_write_header(stream, serializer,
                                    boost::asio::redirect_error(boost::asio::use_awaitable, error));
  const ChunkSource source = answer.gzip ? Compressed(answer.chunks) : answer.chunks;
  for (bool more = !error; more;) {
    std::function<Chunk()> produce = [&source] {
      Chunk chunk;
      chunk.last = !source(&chunk.bytes);
      return chunk;
    };
    const Chunk chunk = co_await OnPool<Chunk>(pool, std::move(produce));
    more = !chunk.last;
    if (chunk.bytes.empty()) continue;  // an empty chunk would end the body
    beast::get_lowest_layer(stream).expires_after(kHttpIdle);
    // Plain statements: g++ 12 may evaluate both arms of a conditional with co_await in it.
    if (chunked) {
      co_await boost::asio::async_write(
          stream, http::make_chunk(boost::asio::buffer(chunk.bytes)),
          boost::asio::redirect_error(boost::asio::use_awaitable, error));
    } else {
      co_await boost::asio::async_write(
          stream, boost::asio::buffer(chunk.bytes),
          boost::asio::redirect_error(boost::asio::use_awaitable, error));
    }
    if (error) co_return false;
  }
  // A client of HTTP/1.0 does not know chunks: the end of the connection ends the body.
  if (error || !chunked) co_return false;
  co_await boost::asio::async_write(stream, http::make_chunk_last(),
                                    boost::asio::redirect_error(boost::asio::use_awaitable, error));
  co_return !error;
}

}  // namespace

template <typename Stream>
boost::asio::awaitable<bool> WriteAnswer(Stream& stream, BlockingPool& pool, HttpResponse answer,
                                         AnswerForm form) {
  if (form.head_only) return WriteHead(stream, std::move(answer), form.keep_alive);
  if (!answer.chunks) return WriteWhole(stream, std::move(answer), form.keep_alive);
  return WriteChunks(stream, pool, std::move(answer), form.keep_alive && form.chunked,
                     form.chunked);
}

using TcpStream = beast::basic_stream<boost::asio::ip::tcp>;
using UnixStream = beast::basic_stream<boost::asio::local::stream_protocol>;

template boost::asio::awaitable<bool> WriteAnswer(TcpStream&, BlockingPool&, HttpResponse,
                                                  AnswerForm);
template boost::asio::awaitable<bool> WriteAnswer(UnixStream&, BlockingPool&, HttpResponse,
                                                  AnswerForm);
template boost::asio::awaitable<bool> WriteAnswer(beast::ssl_stream<TcpStream>&, BlockingPool&,
                                                  HttpResponse, AnswerForm);

}  // namespace oppetid::collector
