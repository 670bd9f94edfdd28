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

oppetid_test(common_test
  SOURCES tests/common/instant_test.cc tests/common/text_test.cc tests/common/yaml_test.cc
  LIBS oppetid_common)
oppetid_test(tcp_test SOURCES tests/agent/sensors/tcp_test.cc LIBS agent_sensors)

add_library(sla_support STATIC tests/support/sla_random.cc tests/support/sla_reference.cc
            tests/support/sla_reference_tickets.cc tests/support/sla_text.cc)
target_link_libraries(sla_support PUBLIC oppetid_report PRIVATE oppetid_warnings)
oppetid_test(sla_test
  SOURCES tests/collector/sla/availability_test.cc tests/collector/sla/calendar_test.cc
          tests/collector/sla/properties_test.cc tests/collector/sla/reference_test.cc
          tests/collector/sla/tickets_test.cc
  LIBS sla_support)
oppetid_test(report_test
  SOURCES tests/collector/report/formats_test.cc tests/collector/report/readers_test.cc
          tests/collector/report/round_trip_test.cc
  LIBS sla_support)
oppetid_test(report_command_test SOURCES tests/collector/cli/report_test.cc LIBS oppetid_report)
target_compile_definitions(report_command_test PRIVATE OPPETID_PROGRAM="$<TARGET_FILE:oppetid>")
add_dependencies(report_command_test oppetid)

if(OPPETID_FUZZ)
  add_executable(sla_inputs_fuzz tests/fuzz/sla_inputs_fuzz.cc)
  target_link_libraries(sla_inputs_fuzz PRIVATE oppetid_report oppetid_warnings)
  target_link_options(sla_inputs_fuzz PRIVATE -fsanitize=fuzzer)
endif()
