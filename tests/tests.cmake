# A test that takes longer than this hangs. Sanitizers on a busy machine take ten times what a test
# takes by itself, and no test measures time by being ended.
set(hangs_after 1200)

# oppetid_test(name SOURCES ... LIBS ... [LONG]): one test program, run by ctest as `name`.
# LONG ones run only with `tests/run --all`.
function(oppetid_test name)
  cmake_parse_arguments(ARG "LONG" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE OPPETID_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main oppetid_warnings)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${hangs_after})
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
  oppetid_test(hostile_test SOURCES tests/e2e/hostile_fixture.cc tests/e2e/hostile_test.cc
               LIBS load_agents program_support)
  add_dependencies(hostile_test oppetid-collector)
  oppetid_test(agent_report_test SOURCES tests/agent/report_command_test.cc
    LIBS program_support)
  add_dependencies(agent_report_test oppetid-agent)
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
          tests/collector/sla/reference_test.cc tests/collector/sla/tickets_test.cc
  LIBS sla_support)
oppetid_test(report_test
  SOURCES tests/collector/report/example_test.cc tests/collector/report/formats_test.cc
          tests/collector/report/readers_test.cc tests/collector/report/round_trip_test.cc
  LIBS sla_support)
oppetid_test(account_test
  SOURCES tests/collector/account/catalogues_test.cc tests/collector/account/decisions_test.cc
          tests/collector/account/history_test.cc
  LIBS sla_support collector_account)
# A ledger of a large room, for the figures of tests/bench/README.md.
add_executable(ledger-fill tests/bench/ledger_fill.cc)
target_link_libraries(ledger-fill PRIVATE collector_account oppetid_warnings)
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
oppetid_test(backup_tool_test SOURCES tests/agent/sensors/backup_tool_test.cc LIBS agent_sensors)
oppetid_test(borg_test SOURCES tests/agent/sensors/borg_test.cc LIBS agent_sensors)
oppetid_test(files_test SOURCES tests/agent/sensors/files_test.cc LIBS agent_sensors)
oppetid_test(postgres_test
  SOURCES tests/agent/sensors/pgbackrest_test.cc tests/agent/sensors/postgres_wal_test.cc
          tests/support/postgres_cluster.cc
  LIBS agent_sensors program_support)
oppetid_test(restic_test SOURCES tests/agent/sensors/restic_test.cc LIBS agent_sensors test_support)
oppetid_test(scrape_test
  SOURCES tests/agent/sensors/exposition_parser_test.cc tests/agent/sensors/scrape_test.cc
  LIBS agent_sensors)

oppetid_test(active_directory_test
  SOURCES tests/agent/sensors/active_directory_test.cc tests/agent/sensors/ad_decode_test.cc
          tests/agent/sensors/ad_judge_test.cc
  LIBS agent_sensors agent_ad)
add_dependencies(active_directory_test oppetid-ad-probe)
# The drills with a real domain, in namespaces of its own. The first run on a machine provisions it.
add_executable(ad_domain_test tests/agent/sensors/ad_domain_faults_test.cc
               tests/agent/sensors/ad_domain_test.cc)
target_compile_definitions(ad_domain_test PRIVATE OPPETID_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_link_libraries(ad_domain_test PRIVATE agent_sensors GTest::gmock GTest::gtest_main
                                             oppetid_warnings)
add_dependencies(ad_domain_test oppetid-ad-probe)
add_test(NAME ad_domain_test
  COMMAND ${PROJECT_SOURCE_DIR}/tests/support/samba_domain isolate $<TARGET_FILE:ad_domain_test>)
# COST: the longest test starts first.
set_tests_properties(ad_domain_test PROPERTIES TIMEOUT ${hangs_after} COST 1000 SKIP_RETURN_CODE 77)

oppetid_test(dns_test
  SOURCES tests/agent/sensors/dns_message_test.cc tests/agent/sensors/dns_test.cc
  LIBS agent_sensors)
oppetid_test(room_levels_test
  SOURCES tests/agent/sensors/room_test.cc tests/agent/sensors/ups_test.cc LIBS agent_sensors)
oppetid_test(hwmon_test SOURCES tests/agent/sensors/hwmon_test.cc LIBS agent_sensors)
oppetid_test(ipmi_test SOURCES tests/agent/sensors/ipmi_test.cc LIBS agent_sensors program_support)
oppetid_test(smart_test SOURCES tests/agent/sensors/smart_test.cc LIBS agent_sensors)
oppetid_test(antivirus_test
  SOURCES tests/agent/sensors/antivirus_test.cc LIBS agent_sensors program_support)
oppetid_test(recipes_test
  SOURCES tests/agent/sensors/recipes_test.cc LIBS agent_sensors program_support)
oppetid_test(recipes_mail_test
  SOURCES tests/agent/sensors/recipes_mail_test.cc LIBS agent_sensors program_support)
oppetid_test(recipes_mysql_test
  SOURCES tests/agent/sensors/recipes_mysql_test.cc LIBS agent_sensors program_support)
oppetid_test(nut_test SOURCES tests/agent/sensors/nut_test.cc LIBS agent_sensors program_support)
oppetid_test(snmp_test
  SOURCES tests/agent/sensors/snmp_message_test.cc tests/agent/sensors/snmp_test.cc
  LIBS agent_sensors program_support)
oppetid_test(ping_test SOURCES tests/agent/sensors/ping_test.cc LIBS agent_sensors)
oppetid_test(link_test SOURCES tests/agent/sensors/link_test.cc LIBS agent_sensors)
oppetid_test(http_test
  SOURCES tests/agent/sensors/certificate_test.cc tests/agent/sensors/http_test.cc
  LIBS agent_sensors test_support)

oppetid_test(agent_rules_test
  SOURCES tests/agent/confirmation_test.cc tests/agent/holes_test.cc tests/agent/newest_test.cc
          tests/agent/runs_test.cc tests/agent/schedule_test.cc tests/agent/segment_test.cc
  LIBS agent_core)
oppetid_test(agent_core_test
  SOURCES tests/agent/core_disk_test.cc tests/agent/core_test.cc tests/agent/spool_loss_test.cc
          tests/agent/spool_test.cc tests/agent/uplink_connect_test.cc tests/agent/uplink_test.cc
          tests/support/fake_disk.cc
  LIBS agent_core)
# Every registered sensor, on the example that is shipped for it.
oppetid_test(sensor_contract_test SOURCES tests/contract/sensor_contract_test.cc LIBS agent_config)
oppetid_test(agent_edge_test
  SOURCES tests/agent/agent_config_test.cc tests/agent/runner_test.cc
  LIBS agent_config)

oppetid_test(reports_test
  SOURCES tests/agent/report_line_test.cc tests/agent/report_server_test.cc
          tests/agent/reports_test.cc tests/agent/sensors/job_test.cc
          tests/agent/sensors/report_test.cc tests/support/fake_disk.cc
  LIBS agent_reporting)

oppetid_test(ledger_test
  SOURCES tests/collector/ledger_care_test.cc tests/collector/packing_test.cc
          tests/collector/sqlite_ledger_test.cc
  LIBS collector_ledger)
# Both cores in a made world (tests/simulation/world.h).
oppetid_library(simulation_world
  SOURCES tests/simulation/agent_actor.cc tests/simulation/audit.cc
          tests/simulation/collector_actor.cc
          tests/simulation/faults.cc tests/simulation/memory_ledger.cc
          tests/simulation/oracle.cc tests/simulation/side_log.cc tests/simulation/sim_disk.cc
          tests/simulation/world.cc tests/support/fake_disk.cc
  LIBS agent_core collector_core)
add_executable(simulation tests/simulation/main.cc)
target_link_libraries(simulation PRIVATE simulation_world CLI11::CLI11 oppetid_warnings)
add_test(NAME simulation COMMAND simulation --seeds 1-300)
set_tests_properties(simulation PROPERTIES TIMEOUT ${hangs_after})
oppetid_test(simulation_parts_test
  SOURCES tests/simulation/memory_ledger_test.cc tests/simulation/outage_test.cc
  LIBS simulation_world)
oppetid_test(ticket_text_test
  SOURCES tests/collector/tickets/csv_test.cc tests/collector/tickets/mapping_test.cc
          tests/collector/tickets/sync_test.cc
  LIBS collector_ticket_text absl::strings)
oppetid_test(ticket_sources_test
  SOURCES tests/collector/tickets/file_drop_test.cc tests/collector/tickets/source_config_test.cc
  LIBS collector_ticket_sources)
# Starts a real Request Tracker, once for all its tests.
oppetid_test(request_tracker_test
  SOURCES tests/collector/tickets/request_tracker_test.cc tests/support/http_client.cc
          tests/support/rt_server.cc
  LIBS collector_ticket_sources program_support ZLIB::ZLIB)
oppetid_library(collector_support SOURCES tests/support/views.cc LIBS collector_core GTest::gtest)
oppetid_test(collector_core_test
  SOURCES tests/collector/acts_test.cc tests/collector/collector_config_test.cc
          tests/collector/dictionary_test.cc tests/collector/exposition_test.cc
          tests/collector/hub_hold_test.cc tests/collector/hub_random_test.cc
          tests/collector/hub_test.cc tests/collector/hub_view_test.cc
          tests/collector/status_json_test.cc
  LIBS collector_support)
# What Prometheus' own tool says of names, types and help texts. Carried series have no help text:
# there it complains (3) but must be able to read them.
set(testdata ${PROJECT_SOURCE_DIR}/tests/testdata)
add_test(NAME metrics_lint COMMAND sh -c "promtool check metrics < ${testdata}/metrics.txt")
add_test(NAME metrics_carried_lint
  COMMAND sh -c "promtool check metrics < ${testdata}/metrics_carried.txt; test $? -eq 3")
oppetid_test(identity_test
  SOURCES tests/common/identity_test.cc tests/common/pki_test.cc
  LIBS oppetid_common test_support)
oppetid_test(enrolment_test
  SOURCES tests/collector/enrolment_test.cc tests/collector/hosts_test.cc
          tests/collector/rollover_test.cc tests/collector/trust_test.cc
  LIBS collector_support test_support)
oppetid_test(renewal_test SOURCES tests/agent/renewal_test.cc LIBS agent_core test_support)
oppetid_test(ticket_desk_test
  SOURCES tests/collector/tickets/desk_test.cc tests/support/http_client.cc
  LIBS collector_support collector_tickets test_support)
target_compile_definitions(ticket_desk_test PRIVATE OPPETID_PROGRAM="$<TARGET_FILE:oppetid>")
add_dependencies(ticket_desk_test oppetid)
add_test(NAME metrics_helpdesk_lint
  COMMAND sh -c "promtool check metrics < ${testdata}/helpdesk_metrics.txt")
oppetid_test(collector_web_test
  SOURCES tests/collector/api_test.cc tests/collector/http_server_test.cc
          tests/collector/live_sla_test.cc tests/support/http_client.cc
  LIBS collector_support collector_web test_support)
oppetid_test(cli_client_test
  SOURCES tests/collector/cli/client_test.cc tests/support/http_client.cc
  LIBS collector_web oppetid_cli test_support)

oppetid_test(account_command_test
  SOURCES tests/collector/cli/account_test.cc tests/support/http_client.cc
  LIBS collector_support collector_web)
target_compile_definitions(account_command_test PRIVATE OPPETID_PROGRAM="$<TARGET_FILE:oppetid>")
add_dependencies(account_command_test oppetid)

# oppetid_script(name COMMAND...): a test that is a program of its own. Those that start the whole
# product run alone, because they measure times.
function(oppetid_script name)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${hangs_after} LABELS script)
endfunction()

if(NOT OPPETID_CORES_ONLY)
  set(tests ${PROJECT_SOURCE_DIR}/tests)
  oppetid_script(example_agent oppetid-agent check-config
    ${PROJECT_SOURCE_DIR}/deploy/agent.example.yaml)
  foreach(recipe imap ldap mysql postgresql smtp)
    oppetid_script(example_recipe_${recipe} oppetid-agent check-config
      ${PROJECT_SOURCE_DIR}/deploy/recipes/${recipe}.yaml)
  endforeach()
  oppetid_script(example_windows_domain oppetid-agent check-config
    ${PROJECT_SOURCE_DIR}/deploy/agent.windows-domain.yaml)
  oppetid_script(example_collector oppetid-collector check-config
    ${PROJECT_SOURCE_DIR}/deploy/collector.example.yaml)
  oppetid_script(example_catalogue oppetid check-config
    ${PROJECT_SOURCE_DIR}/deploy/catalogue.example.yaml)
  oppetid_script(definitions_table ${tests}/collector/sla/check_table)
  oppetid_script(tidy ${tests}/tidy/tidy)
  oppetid_script(tidy_self ${tests}/tidy/tidy --self)
  oppetid_script(dashboard_generated ${PROJECT_SOURCE_DIR}/dashboards/generate --check)
  oppetid_script(dashboard_rules ${tests}/dashboards/rules)
  oppetid_script(dashboard_inhibition ${tests}/dashboards/inhibition)
  oppetid_script(dashboard_typecheck ${tests}/dashboards/typecheck)
  oppetid_script(e2e_enrol ${tests}/e2e/enrol)
  oppetid_script(e2e_units ${tests}/e2e/units)
  set_tests_properties(e2e_units PROPERTIES SKIP_RETURN_CODE 77)
  # Minutes where the machine's processor is emulated, so it starts early.
  oppetid_script(e2e_machine ${tests}/e2e/machine)
  set_tests_properties(e2e_machine PROPERTIES COST 900)
  oppetid_script(e2e_walk ${tests}/e2e/walk)
  oppetid_script(e2e_alert ${tests}/e2e/alert)
  oppetid_script(e2e_silent_agent ${tests}/e2e/alert --silent-agent)
  set_tests_properties(e2e_enrol e2e_walk e2e_alert e2e_silent_agent PROPERTIES RUN_SERIAL TRUE)
  # Faults, with real processes; the side log of a plugin beside the export.
  set(programs --bin $<TARGET_FILE_DIR:oppetid>)
  oppetid_script(e2e_kill ${tests}/e2e/kill ${programs})
  oppetid_script(e2e_kill_long ${tests}/e2e/kill ${programs} --kills 200)
  oppetid_script(e2e_full_disk ${tests}/e2e/full_disk ${programs})
  oppetid_script(e2e_full_disk_limit ${tests}/e2e/full_disk ${programs} --limit)
  oppetid_script(e2e_partition ${tests}/e2e/partition ${programs})
  oppetid_script(e2e_partition_proxy ${tests}/e2e/partition ${programs} --proxy)
  oppetid_script(e2e_restore ${tests}/e2e/restore ${programs})
  oppetid_script(e2e_everything ${tests}/e2e/everything ${programs})
  set_tests_properties(e2e_kill_long e2e_full_disk_limit e2e_partition_proxy e2e_everything
                       PROPERTIES LABELS "script;long" TIMEOUT ${hangs_after})
endif()

# oppetid_fuzz(name source libs...): the libFuzzer target `name`, with its seeds in
# tests/fuzz/corpus/<name without _fuzz>. tests/fuzz/run runs them all. Where there is no libFuzzer,
# a sanitizer build tries the seeds and some thousand mutations of them.
if(OPPETID_CORES_ONLY)
  function(oppetid_fuzz name source)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${ARGN} oppetid_warnings)
    if(OPPETID_FUZZ)
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
      string(REPLACE "_fuzz" "" seeds ${name})
      target_sources(${name} PRIVATE tests/fuzz/replay.cc)
      add_test(NAME ${name} COMMAND ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${seeds})
    endif()
  endfunction()
  oppetid_fuzz(backup_output_fuzz tests/fuzz/backup_output_fuzz.cc agent_backup_parsers)
  oppetid_fuzz(ad_fuzz tests/fuzz/ad_fuzz.cc agent_parsers)
  oppetid_fuzz(exposition_fuzz tests/fuzz/exposition_fuzz.cc agent_parsers)
  oppetid_fuzz(plugin_output_fuzz tests/fuzz/plugin_output_fuzz.cc agent_parsers)
  oppetid_fuzz(report_line_fuzz tests/fuzz/report_line_fuzz.cc agent_backup_parsers)
  oppetid_fuzz(segment_fuzz tests/fuzz/segment_fuzz.cc agent_parsers)
  oppetid_fuzz(frame_fuzz tests/fuzz/frame_fuzz.cc collector_core)
  oppetid_fuzz(config_fuzz tests/fuzz/config_fuzz.cc collector_core)
  oppetid_fuzz(names_fuzz tests/fuzz/names_fuzz.cc collector_ledger)
  oppetid_fuzz(token_fuzz tests/fuzz/token_fuzz.cc oppetid_base)
  oppetid_fuzz(sla_inputs_fuzz tests/fuzz/sla_inputs_fuzz.cc oppetid_report)
  oppetid_fuzz(tickets_fuzz tests/fuzz/tickets_fuzz.cc collector_ticket_text)
  oppetid_fuzz(room_inputs_fuzz tests/fuzz/room_inputs_fuzz.cc agent_parsers)
  oppetid_fuzz(snmp_fuzz tests/fuzz/snmp_fuzz.cc agent_parsers)
endif()
