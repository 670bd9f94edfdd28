# oppetid_test(name SOURCES ... LIBS ... [LONG]): one test program, run by ctest as `name`.
# LONG ones run only with `tests/run --all`.
function(oppetid_test name)
  cmake_parse_arguments(ARG "LONG" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE OPPETID_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
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

add_library(sla_support STATIC tests/support/sla_random.cc tests/support/sla_reference.cc
            tests/support/sla_reference_tickets.cc tests/support/sla_text.cc)
target_link_libraries(sla_support PUBLIC oppetid_report PRIVATE oppetid_warnings)
oppetid_test(sla_test
  SOURCES tests/collector/sla/availability_test.cc tests/collector/sla/calendar_test.cc
          tests/collector/sla/live_test.cc tests/collector/sla/properties_test.cc
          tests/collector/sla/reference_test.cc
          tests/collector/sla/tickets_test.cc
  LIBS sla_support)
oppetid_test(report_test
  SOURCES tests/collector/report/formats_test.cc tests/collector/report/readers_test.cc
          tests/collector/report/round_trip_test.cc
  LIBS sla_support)
oppetid_test(report_command_test SOURCES tests/collector/cli/report_test.cc LIBS oppetid_report)
target_compile_definitions(report_command_test PRIVATE OPPETID_PROGRAM="$<TARGET_FILE:oppetid>")
add_dependencies(report_command_test oppetid)
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

oppetid_test(dns_test
  SOURCES tests/agent/sensors/dns_message_test.cc tests/agent/sensors/dns_test.cc
  LIBS agent_sensors)
oppetid_test(ping_test SOURCES tests/agent/sensors/ping_test.cc LIBS agent_sensors)
oppetid_test(http_test
  SOURCES tests/agent/sensors/certificate_test.cc tests/agent/sensors/http_test.cc
  LIBS agent_sensors test_support)

oppetid_test(agent_rules_test
  SOURCES tests/agent/confirmation_test.cc tests/agent/holes_test.cc tests/agent/newest_test.cc tests/agent/runs_test.cc
          tests/agent/schedule_test.cc tests/agent/segment_test.cc
  LIBS agent_core)
oppetid_test(agent_core_test
  SOURCES tests/agent/core_test.cc tests/agent/spool_test.cc tests/agent/uplink_test.cc
          tests/support/fake_disk.cc
  LIBS agent_core)
oppetid_test(agent_edge_test
  SOURCES tests/agent/agent_config_test.cc tests/agent/runner_test.cc
  LIBS agent_config)

oppetid_test(ledger_test
  SOURCES tests/collector/ledger_care_test.cc tests/collector/packing_test.cc
          tests/collector/sqlite_ledger_test.cc
  LIBS collector_ledger)
# Both cores in a made world (tests/simulation/world.h).
oppetid_library(simulation_world
  SOURCES tests/simulation/agent_actor.cc tests/simulation/collector_actor.cc
          tests/simulation/faults.cc tests/simulation/memory_ledger.cc
          tests/simulation/oracle.cc tests/simulation/side_log.cc tests/simulation/sim_disk.cc
          tests/simulation/world.cc tests/support/fake_disk.cc
  LIBS agent_core collector_core)
add_executable(simulation tests/simulation/main.cc)
target_link_libraries(simulation PRIVATE simulation_world CLI11::CLI11 oppetid_warnings)
add_test(NAME simulation COMMAND simulation --seeds 1-300)
set_tests_properties(simulation PROPERTIES TIMEOUT 600)
oppetid_test(simulation_parts_test
  SOURCES tests/simulation/memory_ledger_test.cc tests/simulation/outage_test.cc
  LIBS simulation_world)
oppetid_library(collector_support SOURCES tests/support/views.cc LIBS collector_core GTest::gtest)
oppetid_test(collector_core_test
  SOURCES tests/collector/acts_test.cc tests/collector/collector_config_test.cc
          tests/collector/dictionary_test.cc
          tests/collector/exposition_test.cc tests/collector/hub_hold_test.cc
          tests/collector/hub_random_test.cc
          tests/collector/hub_test.cc tests/collector/hub_view_test.cc
          tests/collector/status_json_test.cc
  LIBS collector_support)
# What Prometheus' own tool says of names, types and help texts. Carried series have no help text:
# there it complains (3) but must be able to read them.
set(testdata ${PROJECT_SOURCE_DIR}/tests/testdata)
add_test(NAME metrics_lint COMMAND sh -c "promtool check metrics < ${testdata}/metrics.txt")
add_test(NAME metrics_carried_lint
  COMMAND sh -c "promtool check metrics < ${testdata}/metrics_carried.txt; test $? -eq 3")
oppetid_test(identity_test SOURCES tests/common/identity_test.cc LIBS oppetid_common test_support)
oppetid_test(collector_web_test
  SOURCES tests/collector/api_test.cc tests/collector/http_server_test.cc
          tests/collector/live_sla_test.cc tests/support/http_client.cc
  LIBS collector_support collector_web test_support)
oppetid_test(cli_client_test
  SOURCES tests/collector/cli/client_test.cc tests/support/http_client.cc
  LIBS collector_web oppetid_cli test_support)

# oppetid_script(name COMMAND...): a test that is a program of its own. Those that start the whole
# product run alone, because they measure times.
function(oppetid_script name)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS script)
endfunction()

if(NOT OPPETID_CORES_ONLY)
  set(tests ${PROJECT_SOURCE_DIR}/tests)
  oppetid_script(example_agent oppetid-agent check-config
    ${PROJECT_SOURCE_DIR}/deploy/agent.example.yaml)
  oppetid_script(example_collector oppetid-collector check-config
    ${PROJECT_SOURCE_DIR}/deploy/collector.example.yaml)
  oppetid_script(tidy ${tests}/tidy/tidy)
  oppetid_script(tidy_self ${tests}/tidy/tidy --self)
  oppetid_script(dashboard_generated ${PROJECT_SOURCE_DIR}/dashboards/generate --check)
  oppetid_script(dashboard_rules ${tests}/dashboards/rules)
  oppetid_script(dashboard_inhibition ${tests}/dashboards/inhibition)
  oppetid_script(dashboard_typecheck ${tests}/dashboards/typecheck)
  oppetid_script(e2e_units ${tests}/e2e/units)
  oppetid_script(e2e_walk ${tests}/e2e/walk)
  oppetid_script(e2e_alert ${tests}/e2e/alert)
  oppetid_script(e2e_silent_agent ${tests}/e2e/alert --silent-agent)
  set_tests_properties(e2e_walk e2e_alert e2e_silent_agent PROPERTIES RUN_SERIAL TRUE)
endif()

# oppetid_fuzz(name source libs...): the libFuzzer target `name`, with its seeds in
# tests/fuzz/corpus/<name without _fuzz>. tests/fuzz/run runs them all.
if(OPPETID_FUZZ)
  function(oppetid_fuzz name source)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${ARGN} oppetid_warnings)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endfunction()
  oppetid_fuzz(exposition_fuzz tests/fuzz/exposition_fuzz.cc agent_parsers)
  oppetid_fuzz(plugin_output_fuzz tests/fuzz/plugin_output_fuzz.cc agent_parsers)
  oppetid_fuzz(segment_fuzz tests/fuzz/segment_fuzz.cc agent_parsers)
  oppetid_fuzz(frame_fuzz tests/fuzz/frame_fuzz.cc collector_core)
  oppetid_fuzz(names_fuzz tests/fuzz/names_fuzz.cc collector_ledger)
  oppetid_fuzz(sla_inputs_fuzz tests/fuzz/sla_inputs_fuzz.cc oppetid_report)
endif()
