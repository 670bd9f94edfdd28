// collector.yaml: where the collector listens and keeps its state. Read strictly, all faults at
// once.
#pragma once

#include <string>
#include <vector>

#include "common/yaml.h"

namespace oppetid::collector {

struct CollectorConfig {
  std::string state;  // directory: ledger.sqlite, admin.sock, server.pem …
  std::string grpc;   // ip:port for agents; loopback unless configured
  std::string http;   // ip:port for Prometheus and people
  // PEM files for TLS on it; empty: plain, which only loopback may be.
  std::string http_certificate, http_key;
  bool anonymous = false;    // whether loopback may read without a token
  std::string trust_domain;  // of the SPIFFE ids in certificates
  std::string ca, certificate, key;
  std::string ca_key;                     // empty: an existing PKI, no enrolment
  std::vector<std::string> server_names;  // what agents call this collector
  Millis certificate_life{};
  std::string admin_socket;  // path; <state>/admin.sock unless configured
  std::string admin_group;   // may use it
  Yaml tickets;              // read by tickets/source_config.h, which knows the sources
};

CollectorConfig ReadCollectorConfig(std::string_view text, Faults& faults);

}  // namespace oppetid::collector
