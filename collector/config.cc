#include "collector/config.h"

#include <algorithm>

#include "collector/authority.h"
#include "collector/endpoint.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr Millis kUsualLife = std::chrono::hours(24 * 30);
// Short ones are for trying it out; renewal takes seconds, not months.
constexpr Millis kMinLife{20'000};
constexpr Millis kMaxLife = std::chrono::hours(24 * 90);

void ReadTls(YamlMap& map, CollectorConfig* config) {
  config->ca = config->state + "/ca.pem";
  config->certificate = config->state + "/server.pem";
  config->key = config->state + "/server.key";
  config->certificate_life = kUsualLife;
  // Agents on this machine, and those that use the address it listens on.
  config->server_names = {"localhost", "127.0.0.1", "::1"};
  if (const auto endpoint = ParseEndpoint(config->grpc)) {
    const std::string address = endpoint->address().to_string();
    auto& names = config->server_names;
    if (!endpoint->address().is_unspecified() &&
        std::find(names.begin(), names.end(), address) == names.end()) {
      names.push_back(address);
    }
  }
  auto tls = map.Map("tls");
  if (!tls) return;
  config->ca = tls->String("ca", config->ca);
  config->ca_key = tls->String("ca_key", "");
  config->certificate = tls->String("certificate", config->certificate);
  config->key = tls->String("key", config->key);
  config->certificate_life = tls->Duration("life", kMinLife, kMaxLife, kUsualLife);
  for (const std::string& name : tls->Strings("names")) {
    if (!IsServerName(name)) {
      tls->Fault("names", "`names`: `" + OneLine(name, 60) +
                              "` is neither an address nor a host name in small letters");
    } else if (std::find(config->server_names.begin(), config->server_names.end(), name) ==
               config->server_names.end()) {
      config->server_names.push_back(name);
    }
  }
  tls->Finish();
}

}  // namespace

CollectorConfig ReadCollectorConfig(std::string_view text, Faults& faults) {
  CollectorConfig config;
  const Yaml root = ParseYaml(text, faults);
  if (root.kind == Yaml::Kind::kNull && !faults.empty()) return config;
  YamlMap map(root, faults);
  config.state = map.RequiredString("state");
  config.grpc = map.String("grpc", "127.0.0.1:9861");
  if (!ParseEndpoint(config.grpc)) {
    map.Fault("grpc", "`grpc`: expected ip:port, as in 127.0.0.1:9861 or [::1]:9861");
  }
  config.http = "127.0.0.1:9860";
  if (auto http = map.Map("http")) {
    config.http = http->String("listen", config.http);
    config.anonymous = http->Bool("anonymous", false);
    const auto endpoint = ParseEndpoint(config.http);
    if (!endpoint) {
      http->Fault("listen", "`listen`: expected ip:port, as in 127.0.0.1:9860");
    }
    config.http_certificate = http->String("certificate", "");
    config.http_key = http->String("key", "");
    if (config.http_certificate.empty() != config.http_key.empty()) {
      http->Fault("certificate", "`certificate` and `key` belong together: give both or none");
    } else if (endpoint && !endpoint->address().is_loopback() && config.http_key.empty()) {
      http->Fault("listen",
                  "`listen`: beyond loopback TLS is needed: give `certificate` and `key` (PEM "
                  "files)");
    }
    http->Finish();
  }
  config.trust_domain = map.String("trust_domain", "oppetid.local");
  if (!IsId(config.trust_domain)) {
    map.Fault("trust_domain", "`trust_domain`: 1 to 63 of a-z, 0-9, - and .");
  }
  config.admin_socket = map.String("admin_socket", config.state + "/admin.sock");
  config.admin_group = map.String("admin_group", "oppetid-admin");
  ReadTls(map, &config);
  if (const Yaml* tickets = map.Raw("tickets")) config.tickets = *tickets;
  map.Finish();
  return config;
}

}  // namespace oppetid::collector
