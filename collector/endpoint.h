// Addresses to listen on, as operators write them: "127.0.0.1:9861", "[::1]:9861".
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string_view>

namespace oppetid::collector {

// An IP address and a port (0 takes a free one); IPv6 in brackets. Names are not resolved.
std::optional<boost::asio::ip::tcp::endpoint> ParseEndpoint(std::string_view text);

}  // namespace oppetid::collector
