#include "collector/web/http_server.h"

#include <sys/stat.h>

#include <atomic>
#include <deque>

#include "tests/support/http_fixture.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;

HttpResponse Text(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

// Tells what it was asked.
void Echo(HttpRequest request, HttpDone done) {
  std::string text = request.method + " " + request.path + "\n";
  for (const auto& [key, value] : request.query) text += key + "=" + value + "\n";
  text += "bearer=" + request.bearer + " admin=" + (request.admin ? "1" : "0") +
          " loopback=" + (request.loopback ? "1" : "0") +
          " gzip=" + (request.accepts_gzip ? "1" : "0") + "\n" + request.body;
  done(Text(200, text));
}

// Streams `count` numbered pieces of about 10 kB each, an empty one among them.
HttpHandler Pieces(int count) {
  return [count](HttpRequest request, HttpDone done) {
    HttpResponse response;
    response.gzip = request.accepts_gzip;
    auto next = std::make_shared<int>(0);
    response.chunks = [next, count](std::string* out) {
      if (*next >= count) return false;
      if (++*next != 2) *out += std::to_string(*next) + std::string(10'000, 'x') + "\n";
      return true;
    };
    done(std::move(response));
  };
}

std::string PiecesText(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) {
    if (i != 2) text += std::to_string(i) + std::string(10'000, 'x') + "\n";
  }
  return text;
}

using HttpServerTest = HttpFixture;

TEST_F(HttpServerTest, TellsTheHandlerWhatWasAsked) {
  Start(Echo);
  HttpClient tcp(port());
  EXPECT_EQ(tcp.Get("/a/b?x=1&y=%C3%A5+b&x=2", "Authorization: Bearer t0ken\r\n").body,
            "GET /a/b\nx=2\ny=å b\nbearer=t0ken admin=0 loopback=1 gzip=0\n");
  // RFC 7235: the name of the scheme is the same in any case.
  EXPECT_THAT(tcp.Get("/", "Authorization: bearer t0ken\r\n").body, HasSubstr("bearer=t0ken "));
  HttpClient admin(socket());
  admin.Send(
      "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nAccept-Encoding: gzip\r\n\r\nbody");
  EXPECT_EQ(admin.Receive().body, "POST /p\nbearer= admin=1 loopback=1 gzip=1\nbody");
}

TEST_F(HttpServerTest, KeepsConnectionsAliveUnlessAskedNotTo) {
  Start(Echo);
  HttpClient client(port());
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(client.Get("/" + std::to_string(i)).body, HasSubstr("/" + std::to_string(i)));
  }
  // Two at once are answered in order.
  client.Send("GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.Receive().body, HasSubstr("/one"));
  EXPECT_THAT(client.Receive().body, HasSubstr("/two"));
  EXPECT_EQ(client.Get("/last", "Connection: close\r\n").status, 200);
  EXPECT_TRUE(client.Ended());
}

TEST_F(HttpServerTest, StreamsChunks) {
  Start(Pieces(40));
  HttpClient client(port());
  const HttpAnswer answer = client.Get("/");
  EXPECT_EQ(answer.headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(answer.headers.count("content-encoding"), 0U);
  EXPECT_EQ(answer.body, PiecesText(40));
  EXPECT_EQ(client.Get("/").body, PiecesText(40)) << "and the connection goes on";
}

TEST_F(HttpServerTest, CompressesForWhoeverTakesIt) {
  Start(Pieces(40));
  HttpClient client(port());
  const HttpAnswer answer = client.Get("/", "Accept-Encoding: deflate, gzip;q=0.5\r\n");
  EXPECT_EQ(answer.headers.at("content-encoding"), "gzip");
  EXPECT_LT(answer.body.size(), 20'000U);
  EXPECT_EQ(Gunzip(answer.body), PiecesText(40));
  EXPECT_EQ(Gunzip(client.Get("/", "Accept-Encoding: gzip\r\n").body), PiecesText(40));
}

TEST_F(HttpServerTest, StreamsNothing) {
  Start(Pieces(0));
  HttpClient client(port());
  EXPECT_EQ(client.Get("/").body, "");
  EXPECT_EQ(Gunzip(client.Get("/", "Accept-Encoding: gzip\r\n").body), "");
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  Start([](HttpRequest request, HttpDone done) {
    if (request.path == "/chunks") return Pieces(3)(std::move(request), std::move(done));
    done(Text(200, "12345"));
  });
  HttpClient client(port());
  client.Send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.Receive(/*to_head=*/true).headers.at("content-length"), "5");
  client.Send("HEAD /chunks HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.Receive(/*to_head=*/true).headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(client.Get("/").body, "12345") << "the next answer begins where it should";
}

TEST_F(HttpServerTest, RefusesWhatIsTooLarge) {
  Start(Echo);
  HttpClient body(port());
  body.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\n");
  EXPECT_EQ(body.Receive().status, 413);
  EXPECT_TRUE(body.Ended());
  HttpClient headers(port());
  headers.Send("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(17'000, 'x'));
  EXPECT_EQ(headers.Receive().status, 431);
  HttpClient fits(port());
  fits.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" +
            std::string(1'000'000, 'b'));
  EXPECT_EQ(fits.Receive().status, 200);
}

TEST_F(HttpServerTest, EndsConnectionsThatSpeakNoHttp) {
  Start(Echo);
  for (const char* bytes : {"\x16\x03\x01\x02hello\r\n\r\n", "GET\r\n\r\n", "\r\n\r\n\r\n\r\n \r\n",
                            "GET / HTTP/9.9\r\n\r\n"}) {
    HttpClient client(port());
    client.Send(bytes);
    EXPECT_TRUE(client.Ended()) << bytes;
  }
  HttpClient target(port());
  EXPECT_EQ(target.Get("not-a-path").status, 400);
  EXPECT_EQ(target.Get("http://x/absolute").status, 400);
  EXPECT_EQ(target.Get("/%zz").status, 400);
}

TEST_F(HttpServerTest, ServesOthersBesideASlowClient) {
  Start([](HttpRequest request, HttpDone done) {
    if (request.path == "/large") return Pieces(2'000)(std::move(request), std::move(done));
    Echo(std::move(request), std::move(done));
  });
  HttpClient slow(port()), stuck(port()), quick(port());
  // One does not read its 20 MB; another sends its request byte by byte.
  stuck.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string request = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const char byte : request) {
    slow.Send(std::string(1, byte));
    EXPECT_EQ(quick.Get("/quick").status, 200);
  }
  EXPECT_THAT(slow.Receive().body, HasSubstr("/slow"));
  EXPECT_EQ(stuck.Receive().body, PiecesText(2'000));
}

TEST_F(HttpServerTest, AFloodOfSilentConnectionsKeepsNobodyOut) {
  Start(Echo);
  HttpClient busy(port());
  ASSERT_EQ(busy.Get("/before").status, 200);
  std::deque<HttpClient> silent;
  for (int i = 0; i < 300; ++i) silent.emplace_back(port());
  silent.back().Send("GET /half HTTP/1.1\r\n");
  EXPECT_EQ(HttpClient(port()).Get("/").status, 200);
  EXPECT_TRUE(silent.front().Ended()) << "who has been silent for longest makes room";
  HttpClient admin(socket());
  EXPECT_EQ(admin.Get("/").status, 200);
  silent.back().Send("Host: x\r\n\r\n");
  EXPECT_EQ(silent.back().Receive().status, 200);
}

TEST_F(HttpServerTest, SurvivesAClientThatLeavesInTheMiddle) {
  Start(Pieces(2'000));
  for (int i = 0; i < 5; ++i) {
    HttpClient client(port());
    client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  HttpClient client(port());
  EXPECT_EQ(client.Get("/", "Accept-Encoding: gzip\r\n").status, 200);
}

TEST_F(HttpServerTest, WaitsForAHandlerThatAnswersLater) {
  HttpDone later;
  std::promise<void> asked;
  Start([&](HttpRequest, HttpDone done) {
    later = std::move(done);
    asked.set_value();
  });
  HttpClient client(port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  asked.get_future().wait();
  OnLoop([&] { later(Text(202, "at last")); });
  const HttpAnswer answer = client.Receive();
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.body, "at last");
  OnLoop([&] { later = nullptr; });
}

TEST_F(HttpServerTest, GuardsItsSocketFile) {
  Start(Echo);
  struct stat status {};
  ASSERT_EQ(::stat(socket().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660U);
  Stop();
  EXPECT_NE(::stat(socket().c_str(), &status), 0) << "gone when the server is";
}

TEST_F(HttpServerTest, SaysWhyItCannotListen) {
  HttpServer server(io_.get_executor(), pool_, Echo);
  for (const char* address : {"", "127.0.0.1", "localhost:80", "127.0.0.1:x", "127.0.0.1:65536"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(server.ListenTcp(address))) << address;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(server.ListenUnix("/" + std::string(200, 'a'), 0600, "")));
  EXPECT_FALSE(server.ListenUnix(directory_.path() + "/missing/a.sock", 0600, "").ok());
}

}  // namespace
}  // namespace oppetid::collector
