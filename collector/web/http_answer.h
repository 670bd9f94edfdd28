// Writes answers: whole, streamed in chunks, compressed, or the head alone.
//
// Apart from http_server.cc, which owns the connections, because the two are compiled side by side.
// Threading: the stream's thread, chunks on the pool. Stream and pool outlive the coroutine.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "collector/web/http_server.h"

namespace oppetid::collector {

// How long a peer may take to send or take the next piece.
inline constexpr auto kHttpIdle = std::chrono::seconds(30);

// What the request says of the form of its answer.
struct AnswerForm {
  bool head_only = false;  // HEAD: what GET would say, without the body
  bool keep_alive = false;
  bool chunked = false;  // it knows chunks, which HTTP/1.0 does not
};

// Whether the connection can go on afterwards. For the three kinds of stream that HttpServer has.
template <typename Stream>
boost::asio::awaitable<bool> WriteAnswer(Stream& stream, BlockingPool& pool, HttpResponse answer,
                                         AnswerForm form);

}  // namespace oppetid::collector
