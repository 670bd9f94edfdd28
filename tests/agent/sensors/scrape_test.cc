#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::tcp;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using Tls = boost::asio::ssl::stream<tcp::socket>;

// Answers each request with the same bytes and closes; remembers the last request.
template <typename Stream>
struct Exchange : std::enable_shared_from_this<Exchange<Stream>> {
  Exchange(Stream s, std::string r, std::string& request_out)
      : stream(std::move(s)), response(std::move(r)), request(request_out) {}

  void Serve() {
    boost::asio::async_read_until(
        stream, boost::asio::dynamic_buffer(request), "\r\n\r\n",
        [self = this->shared_from_this()](boost::system::error_code error, size_t) {
          if (error) return;
          boost::asio::async_write(self->stream, boost::asio::buffer(self->response),
                                   [self](boost::system::error_code, size_t) {});
        });
  }

  Stream stream;
  std::string response;
  std::string& request;
};

class ScrapeTest : public SensorFixture {
 protected:
  ScrapeTest() { Accept(); }

  void Accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error) return;
      request_.clear();
      std::make_shared<Exchange<tcp::socket>>(std::move(socket), response_, request_)->Serve();
      Accept();
    });
  }

  // A whole answer with this body.
  static std::string Ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  std::string Config(const std::string& more = "") const {
    return "{sensor: scrape, url: 'http://127.0.0.1:" +
           std::to_string(acceptor_.local_endpoint().port()) + "/metrics?x=y'" + more + "}";
  }

  Answer AskWith(std::string response, const std::string& more = "") {
    response_ = std::move(response);
    return Ask(Config(more));
  }

  tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
  std::string response_;
  std::string request_;
};

TEST_F(ScrapeTest, CarriesTheSeries) {
  const Answer answer = AskWith(Ok("x{b=\"c\",a=\"d\"} 1\ny 2\n"));
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_EQ(answer.text, "2 series");
  ASSERT_THAT(answer.carried, SizeIs(2));
  EXPECT_EQ(answer.carried[0].family, "x");
  EXPECT_EQ(answer.carried[0].labels, (Labels{{"a", "d"}, {"b", "c"}}));
  EXPECT_EQ(answer.carried[1].value, 2);
  EXPECT_EQ(Value(answer, "scrape_series"), 2.0);
  EXPECT_EQ(Value(answer, "scrape_series_dropped"), 0.0);
  for (const char* phase : {"resolve", "connect", "transfer"}) {
    EXPECT_GE(Value(answer, "probe_duration_seconds", {{"phase", phase}}), 0.0) << phase;
  }
  EXPECT_THAT(request_, StartsWith("GET /metrics?x=y HTTP/1.1\r\nHost: 127.0.0.1:"));
}

TEST_F(ScrapeTest, ChunkedAndUnframedBodies) {
  EXPECT_EQ(AskWith("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nx 1\r\n3\r\n\ny \r\n2\r\n2\n\r\n0\r\n\r\n")
                .text,
            "2 series");
  EXPECT_EQ(AskWith("HTTP/1.0 200 OK\r\n\r\nx 1\ny 2\n").text, "2 series");
}

TEST_F(ScrapeTest, WhatIsLeftOutIsCountedAndOverTheLimitIsAWarning) {
  const std::string body = "x 1\ny 1\ny 2\nz 1\noppetid_x 1\nbroken{\n";
  const Answer all = AskWith(Ok(body));
  EXPECT_EQ(all.state, State::kOk);
  EXPECT_EQ(all.text, "3 series, 3 dropped");
  EXPECT_EQ(Value(all, "scrape_series_dropped"), 3.0);
  const Answer some = AskWith(Ok(body), ", limit: 2");
  EXPECT_EQ(some.state, State::kWarning);
  EXPECT_EQ(some.text, "2 series, 1 left out over the limit of 2, 3 dropped");
  EXPECT_EQ(Value(some, "scrape_series"), 2.0);
  EXPECT_EQ(Value(some, "scrape_series_dropped"), 4.0);
  EXPECT_EQ(AskWith(Ok(body), ", keep: ['^x'], drop: [q]").text, "1 series, 1 dropped");
}

TEST_F(ScrapeTest, AnExporterThatDoesNotServeIsCritical) {
  const Answer status = AskWith("HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nx 1\n");
  EXPECT_EQ(status.state, State::kCritical);
  EXPECT_EQ(status.text, "HTTP status 503");
  EXPECT_THAT(status.carried, IsEmpty());
  const Answer moved = AskWith("HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(moved.text, "HTTP status 302");
  for (const char* broken :
       {"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx 1\n", "SSH-2.0\r\n"}) {
    const Answer answer = AskWith(broken);
    EXPECT_EQ(answer.state, State::kCritical) << broken;
    EXPECT_THAT(answer.text, StartsWith("no whole answer: ")) << broken;
    EXPECT_THAT(answer.carried, IsEmpty());
  }
  const std::string config = Config();
  acceptor_.close();
  const Answer refused = Ask(config);
  EXPECT_EQ(refused.state, State::kCritical);
  EXPECT_THAT(refused.text, HasSubstr("Connection refused"));
  EXPECT_EQ(Make(config)->StateWhenLate(), State::kCritical);
}

TEST_F(ScrapeTest, WhatCannotBeReadIsUnknown) {
  const Answer page = AskWith(Ok("<html>Logg inn</html>\n"));
  EXPECT_EQ(page.state, State::kUnknown);
  EXPECT_THAT(page.text, HasSubstr("not in the Prometheus text format"));
  const Answer huge = AskWith("HTTP/1.1 200 OK\r\nContent-Length: 16000001\r\n\r\n");
  EXPECT_EQ(huge.state, State::kUnknown);
  EXPECT_EQ(huge.text, "the answer is larger than 16 MB");
  const Answer endless = AskWith("HTTP/1.0 200 OK\r\n\r\n" + std::string(17'000'000, 'x'));
  EXPECT_EQ(endless.text, "the answer is larger than 16 MB");
  const Answer name = Ask("{sensor: scrape, url: 'http://no-such-host.invalid/metrics'}");
  EXPECT_EQ(name.state, State::kUnknown);
}

TEST_F(ScrapeTest, OddConfigurationsAreFaults) {
  for (const char* url : {"127.0.0.1:9100/metrics", "ftp://h/", "http:///metrics", "http://h:0/",
                          "http://h:70000/", "http://user:pass@h/", "http://h/#x", "http://h/ x"}) {
    EXPECT_THAT(FaultsOf("{sensor: scrape, url: '" + std::string(url) + "'}"),
                ElementsAre(HasSubstr("`url`: expected http://")))
        << url;
  }
  EXPECT_THAT(FaultsOf("{sensor: scrape}"), ElementsAre(HasSubstr("`url` is missing")));
  EXPECT_THAT(FaultsOf(Config(", keep: ['(']")),
              ElementsAre(HasSubstr("not a regular expression")));
  EXPECT_THAT(FaultsOf(Config(", drop: ['a', '[']")),
              ElementsAre(HasSubstr("not a regular expression: `[`")));
  EXPECT_THAT(FaultsOf(Config(", limit: 20001")), ElementsAre(HasSubstr("20000")));
  EXPECT_THAT(FaultsOf(Config(", ca: /etc/ca.pem")), ElementsAre(HasSubstr("https only")));
  EXPECT_THAT(FaultsOf("{sensor: scrape, url: 'https://h/', ca: /no/such/ca.pem}"),
              ElementsAre(HasSubstr("/no/such/ca.pem")));
  EXPECT_THAT(FaultsOf("{sensor: scrape, url: 'https://h/', ca: /dev/null}"),
              ElementsAre(HasSubstr("PEM")));
  EXPECT_THAT(FaultsOf("{sensor: scrape, url: 'https://[::1]:9100'}"), IsEmpty());
}

// --- TLS ----------------------------------------------------------------------------------------

// An exporter behind TLS with a certificate of its own for 127.0.0.1.
class ScrapeTlsTest : public ScrapeTest {
 protected:
  ScrapeTlsTest() : context_(boost::asio::ssl::context::tls_server) {
    std::string pattern = testing::TempDir() + "/scrape_test_XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    MakeCertificate();
    AcceptTls();
  }
  ~ScrapeTlsTest() override { std::filesystem::remove_all(directory_); }

  void MakeCertificate() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME* name = X509_get_subject_name(certificate);
    const auto* common_name = reinterpret_cast<const unsigned char*>("exporter");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* alternative =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate, alternative, -1);
    X509_EXTENSION_free(alternative);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context_.native_handle(), certificate);
    SSL_CTX_use_PrivateKey(context_.native_handle(), key);
    FILE* file = std::fopen((directory_ + "/ca.pem").c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

  void AcceptTls() {
    tls_acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error) return;
      auto exchange =
          std::make_shared<Exchange<Tls>>(Tls(std::move(socket), context_), response_, request_);
      exchange->stream.async_handshake(boost::asio::ssl::stream_base::server,
                                       [exchange](boost::system::error_code failed) {
                                         if (!failed) exchange->Serve();
                                       });
      AcceptTls();
    });
  }

  std::string ConfigTls(const std::string& host, bool with_ca) const {
    return "{sensor: scrape, url: 'https://" + host + ":" +
           std::to_string(tls_acceptor_.local_endpoint().port()) + "/metrics'" +
           (with_ca ? ", ca: '" + directory_ + "/ca.pem'" : "") + "}";
  }

  std::string directory_;
  boost::asio::ssl::context context_;
  tcp::acceptor tls_acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
};

TEST_F(ScrapeTlsTest, VerifiesTheCertificate) {
  response_ = Ok("x 1\n");
  const Answer good = Ask(ConfigTls("127.0.0.1", true));
  EXPECT_EQ(good.state, State::kOk) << good.text;
  EXPECT_EQ(good.text, "1 series");
  EXPECT_GT(Value(good, "probe_duration_seconds", {{"phase", "tls"}}), 0.0);

  const Answer stranger = Ask(ConfigTls("127.0.0.1", false));
  EXPECT_EQ(stranger.state, State::kCritical);
  EXPECT_THAT(stranger.text, HasSubstr("does not verify"));
  EXPECT_THAT(stranger.carried, IsEmpty());

  const Answer other_name = Ask(ConfigTls("localhost", true));
  EXPECT_EQ(other_name.state, State::kCritical);
  EXPECT_THAT(other_name.text, HasSubstr("TLS: "));
}

// --- A real exporter ----------------------------------------------------------------------------

// prometheus-node-exporter on a free port; empty address if it does not start.
class NodeExporter {
 public:
  NodeExporter() {
    for (int i = 0; i < 10 && address.empty(); ++i) Start();
  }
  ~NodeExporter() { Stop(); }

  std::string address;

 private:
  void Start() {
    std::string listen;
    {
      // It cannot take port 0. Somebody may take this one before it does: hence the tries.
      boost::asio::io_context io;
      const tcp::acceptor probe(io, {boost::asio::ip::address_v4::loopback(), 0});
      listen = "127.0.0.1:" + std::to_string(probe.local_endpoint().port());
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    std::string program = "/usr/bin/prometheus-node-exporter";
    std::string option = "--web.listen-address=" + listen;
    char* argv[] = {program.data(), option.data(), nullptr};
    const int error = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (error == 0 && SaysListening(ends[0])) {
      address = listen;
      log_ = ends[0];  // open, so that it can go on logging
      return;
    }
    ::close(ends[0]);
    Stop();
  }

  static bool SaysListening(int fd) {
    std::string log;
    char buffer[4096];
    for (ssize_t size; (size = ::read(fd, buffer, sizeof buffer)) > 0;) {
      log.append(buffer, static_cast<size_t>(size));
      if (log.find("Listening on") != std::string::npos) return true;
    }
    return false;
  }

  void Stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
    if (log_ >= 0) ::close(std::exchange(log_, -1));
  }

  pid_t pid_ = 0;
  int log_ = -1;
};

TEST_F(ScrapeTest, RealNodeExporter) {
  const NodeExporter exporter;
  ASSERT_THAT(exporter.address, testing::Not(IsEmpty()));
  const Answer answer =
      Ask("{sensor: scrape, url: 'http://" + exporter.address + "/metrics', keep: ['^node_']}");
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_EQ(Value(answer, "scrape_series_dropped"), 0.0);
  EXPECT_GT(answer.carried.size(), 100u);
  const auto load =
      std::find_if(answer.carried.begin(), answer.carried.end(),
                   [](const Sample& sample) { return sample.family == "node_load1"; });
  ASSERT_NE(load, answer.carried.end());
  EXPECT_GE(load->value, 0.0);
  for (const Sample& sample : answer.carried) EXPECT_THAT(sample.family, StartsWith("node_"));
}

}  // namespace
}  // namespace oppetid::agent
