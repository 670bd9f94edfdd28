# oppetid_test(name SOURCES ... LIBS ... [LONG]): one test program, run by ctest as `name`.
# LONG ones run only with `tests/run --all`.
function(oppetid_test name)
  cmake_parse_arguments(ARG "LONG" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main oppetid_warnings)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  if(ARG_LONG)
    set_tests_properties(${name} PROPERTIES LABELS long)
  endif()
endfunction()

oppetid_library(test_support
  SOURCES tests/support/loopback_server.cc tests/support/test_ca.cc
  LIBS oppetid_common)

oppetid_test(common_test
  SOURCES tests/common/instant_test.cc tests/common/text_test.cc tests/common/yaml_test.cc
  LIBS oppetid_common)
oppetid_test(tcp_test SOURCES tests/agent/sensors/tcp_test.cc LIBS agent_sensors)
oppetid_test(dns_test
  SOURCES tests/agent/sensors/dns_message_test.cc tests/agent/sensors/dns_test.cc
  LIBS agent_sensors)
oppetid_test(ping_test SOURCES tests/agent/sensors/ping_test.cc LIBS agent_sensors)
oppetid_test(http_test
  SOURCES tests/agent/sensors/certificate_test.cc tests/agent/sensors/http_test.cc
  LIBS agent_sensors test_support)
