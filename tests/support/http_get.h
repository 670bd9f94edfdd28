// A blocking GET over HTTP/1.0, for tests that read a page of a program of ours.
#pragma once

#include <string>

namespace oppetid {

// The body of http://ip:port/path; empty when there is no answer within 20 s.
std::string HttpGet(const std::string& address, const std::string& path);

// The value of a series in text format 0.0.4, `series` as it stands there; 0 when it does not.
double MetricOf(const std::string& page, const std::string& series);

}  // namespace oppetid
