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
# Starting our own programs, and talking to them.
oppetid_library(program_support
  SOURCES tests/support/child_process.cc tests/support/collector_process.cc
          tests/support/http_get.cc
  LIBS test_support)
if(NOT OPPETID_CORES_ONLY)
  # Pretended agents on real streams.
  oppetid_library(load_agents SOURCES tests/bench/load_payload.cc tests/bench/load_stream.cc
    LIBS oppetid_common oppetid_grpc)
  oppetid_test(hostile_test SOURCES tests/e2e/hostile_test.cc LIBS load_agents program_support)
  add_dependencies(hostile_test oppetid-collector)
endif()

oppetid_test(common_test
  SOURCES tests/common/instant_test.cc tests/common/text_test.cc tests/common/yaml_test.cc
  LIBS oppetid_common)
oppetid_test(tcp_test SOURCES tests/agent/sensors/tcp_test.cc LIBS agent_sensors)

add_library(sla_support STATIC tests/support/sla_random.cc tests/support/sla_reference.cc)
target_link_libraries(sla_support PUBLIC oppetid_report PRIVATE oppetid_warnings)
oppetid_test(sla_test
  SOURCES tests/collector/sla/availability_test.cc tests/collector/sla/calendar_test.cc
          tests/collector/sla/properties_test.cc tests/collector/sla/reference_test.cc
          tests/collector/sla/tickets_test.cc
  LIBS sla_support)
oppetid_test(host_proc_test SOURCES tests/agent/sensors/host_proc_test.cc LIBS agent_sensors)
oppetid_test(process_test SOURCES tests/agent/sensors/process_test.cc LIBS agent_sensors)
oppetid_test(host_test SOURCES tests/agent/sensors/host_test.cc LIBS agent_sensors)
oppetid_test(host_updates_test SOURCES tests/agent/sensors/host_updates_test.cc LIBS agent_sensors)
oppetid_test(host_units_test SOURCES tests/agent/sensors/host_units_test.cc LIBS agent_sensors)
oppetid_test(plugin_output_test
  SOURCES tests/agent/sensors/plugin_output_test.cc LIBS agent_parsers)
oppetid_test(exec_test SOURCES tests/agent/sensors/exec_test.cc LIBS agent_sensors)
oppetid_test(scrape_test
  SOURCES tests/agent/sensors/exposition_parser_test.cc tests/agent/sensors/scrape_test.cc
  LIBS agent_sensors)

# oppetid_fuzz(name source libs...): the libFuzzer target `name`, with a short run over its seeds
# in tests/fuzz/corpus/<name without _fuzz> as a test.
if(OPPETID_FUZZ)
  function(oppetid_fuzz name source)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${ARGN} oppetid_warnings)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    string(REGEX REPLACE "_fuzz$" "" corpus ${name})
    set(grown ${CMAKE_BINARY_DIR}/corpus/${corpus})
    file(MAKE_DIRECTORY ${grown})
    add_test(NAME ${name}
      COMMAND ${name} -max_total_time=20 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1
              ${grown} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${corpus})
  endfunction()
  oppetid_fuzz(exposition_fuzz tests/fuzz/exposition_fuzz.cc agent_parsers)
  oppetid_fuzz(plugin_output_fuzz tests/fuzz/plugin_output_fuzz.cc agent_parsers)
endif()
oppetid_test(dns_test
  SOURCES tests/agent/sensors/dns_message_test.cc tests/agent/sensors/dns_test.cc
  LIBS agent_sensors)
oppetid_test(ping_test SOURCES tests/agent/sensors/ping_test.cc LIBS agent_sensors)
oppetid_test(http_test
  SOURCES tests/agent/sensors/certificate_test.cc tests/agent/sensors/http_test.cc
  LIBS agent_sensors test_support)
