#include "collector/config.h"

#include "collector/endpoint.h"
#include "common/text.h"

namespace oppetid::collector {

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
  config.ca = config.state + "/ca.pem";
  config.certificate = config.state + "/server.pem";
  config.key = config.state + "/server.key";
  if (auto tls = map.Map("tls")) {
    config.ca = tls->String("ca", config.ca);
    config.certificate = tls->String("certificate", config.certificate);
    config.key = tls->String("key", config.key);
    tls->Finish();
  }
  if (const Yaml* tickets = map.Raw("tickets")) config.tickets = *tickets;
  map.Finish();
  return config;
}

}  // namespace oppetid::collector
