#include "common/families.h"

#include <algorithm>
#include <array>

namespace oppetid {
namespace {

constexpr auto kGauge = MetricType::kGauge;
constexpr auto kCounter = MetricType::kCounter;

// clang-format off
constexpr auto kFamilies = std::to_array<Family>({
    {"ad_accounts_locked", kGauge, "Accounts of the domain that are locked now.", "domain", true},
    {"ad_dc_advertises", kGauge, "1 when the controller advertises this role in its answer to an LDAP ping.", "domain,dc,flag", true},
    {"ad_dc_clock_skew_seconds", kGauge, "Clock of the controller minus that of the asking host, by what its LDAP, Kerberos or SNTP service says.", "domain,dc,source", true},
    // Untyped for its suffix, as process_count below.
    {"ad_dc_count", MetricType::kUntyped, "Controllers of the domain that the directory lists.", "domain", true},
    {"ad_dc_expected", kGauge, "Controllers that the domain should have.", "domain", true},
    {"ad_dc_global_catalog_ready", kGauge, "1 when the controller's global catalogue is ready.", "domain,dc", true},
    {"ad_dc_highest_committed_usn", kGauge, "Highest update sequence number of the controller's database; it never goes down but by a roll-back.", "domain,dc", true},
    {"ad_dc_machine_password_age_seconds", kGauge, "Age of the controller's own password.", "domain,dc", true},
    {"ad_dc_replication_disabled", kGauge, "1 when replication into or out of the controller is switched off.", "domain,dc", true},
    {"ad_dc_synchronized", kGauge, "1 when the controller counts its database as synchronised.", "domain,dc", true},
    {"ad_dns_dsa_cname_ok", kGauge, "1 when every name server that answers has the GUID name by which the controller's partners find it.", "domain,dc", true},
    {"ad_dns_srv_missing", kGauge, "Controllers that are not among the targets of the service record at this name server, but should be.", "domain,dc,record", true},
    {"ad_dns_srv_targets", kGauge, "Targets of the service record at this name server.", "domain,dc,record", true},
    {"ad_fsmo_owner_agreement", kGauge, "1 when all controllers name the same owner of the role.", "domain,role", true},
    {"ad_fsmo_owner_info", kGauge, "1 for the controller that owns the role.", "domain,role,owner", true},
    {"ad_fsmo_owner_up", kGauge, "1 when the owner of the role answers LDAP.", "domain,role", true},
    {"ad_gpo_version_mismatch", kGauge, "Group policies whose version in SYSVOL differs from that in the directory of the same controller.", "domain,dc", true},
    {"ad_kerberos_error_code", kGauge, "How the controller's Kerberos service answers a request without pre-authentication; 25 is as it should be.", "domain,dc", true},
    {"ad_krbtgt_password_age_seconds", kGauge, "Age of the password of the account krbtgt.", "domain", true},
    {"ad_probe_duration_seconds", kGauge, "Duration of the last successful probe of one service of the controller.", "domain,dc,probe", true},
    {"ad_probe_success", kGauge, "1 when the service of the controller answers.", "domain,dc,probe", true},
    {"ad_replication_check_supported", kGauge, "1 when the controller shows its replication state, with the attribute that was read.", "domain,dc,method", true},
    {"ad_replication_consecutive_failures", kGauge, "Failed attempts since the last success of the inbound link.", "domain,dc,partner,nc", true},
    {"ad_replication_last_result", kGauge, "Win32 error of the last attempt at the inbound link, 0 for success.", "domain,dc,partner,nc", true},
    {"ad_replication_last_success_age_seconds", kGauge, "Time since the last success of the inbound link, by the controller's own clock.", "domain,dc,partner,nc", true},
    {"ad_replication_links", kGauge, "Inbound links of the naming context.", "domain,dc,nc", true},
    {"ad_replication_tombstone_ratio", kGauge, "Greatest time since the last success of any link as a share of the tombstone lifetime.", "domain", true},
    {"ad_rid_pool_used_ratio", kGauge, "Share of the domain's relative identifiers that are used up, 0 to 1.", "domain", true},
    {"ad_service_account_state", kGauge, "1 when this holds for the listed service account: locked, disabled, expired, password_expires_soon.", "domain,account,state", true},
    {"ad_share_accessible", kGauge, "1 when the share of the controller can be listed.", "domain,dc,share", true},
    {"ad_tls_certificate_expiry_timestamp_seconds", kGauge, "End of validity of the certificate on this port of the controller.", "domain,dc,port", true},
    {"ad_tls_certificate_trusted", kGauge, "1 when clients accept the certificate on this port of the controller.", "domain,dc,port", true},
    {"ad_tombstone_lifetime_days", kGauge, "After so many days a controller that was away must not come back.", "domain", true},
    {"antivirus_signatures_timestamp_seconds", kGauge, "When the virus signatures in use were made, seconds since 1970.", "", true},
    {"backup_last_duration_seconds", kGauge, "How long the last successful run took.", "job,source_host,tool", true},
    {"backup_last_files", kGauge, "Files in the last successful run, as its tool counts them.", "job,source_host,tool", true},
    {"backup_last_result", kGauge, "1 for how the last run stands: success, failed, running, never, or unknown when nobody could look.", "job,result,source_host,tool", true},
    {"backup_last_size_bytes", kGauge, "Size of what the last successful run would restore.", "job,source_host,tool", true},
    {"backup_last_success_timestamp_seconds", kGauge, "When the last successful run began, seconds since 1970: the point in time that can be restored.", "job,source_host,tool", true},
    {"backup_offsite_last_success_timestamp_seconds", kGauge, "When the last successful run of the copy elsewhere began, seconds since 1970.", "job,source_host,tool", true},
    {"backup_oldest_snapshot_timestamp_seconds", kGauge, "When the oldest run that is still kept began, seconds since 1970.", "job,source_host,tool", true},
    {"backup_repo_check_success", kGauge, "1 when the last check of the repository to this depth found it whole; metadata reads its structure, data reads all that it holds.", "depth,job,source_host,tool", true},
    {"backup_repo_check_timestamp_seconds", kGauge, "When the last check of the repository to this depth ended, seconds since 1970.", "depth,job,source_host,tool", true},
    {"backup_repo_lock_age_seconds", kGauge, "Age of the oldest lock on the repository.", "job,source_host,tool", true},
    {"backup_restore_test_success", kGauge, "1 when the last restore test succeeded.", "job,source_host,tool", true},
    {"backup_restore_test_timestamp_seconds", kGauge, "When the last restore test ended, seconds since 1970.", "job,source_host,tool", true},
    {"backup_snapshots", kGauge, "Runs that are still kept.", "job,source_host,tool", true},
    {"backup_wal_delay_seconds", kGauge, "How long the oldest segment of write-ahead log has been waiting to be archived; 0 when none waits.", "job,source_host,tool", true},
    {"backup_wal_failing", kGauge, "1 when the last attempt to archive write-ahead log failed.", "job,source_host,tool", true},
    {"backup_wal_last_archived_timestamp_seconds", kGauge, "When the last segment of write-ahead log was archived, seconds since 1970.", "job,source_host,tool", true},
    {"backup_wal_ready_files", kGauge, "Segments of write-ahead log that wait to be archived.", "job,source_host,tool", true},
    {"certificate_expiry_timestamp_seconds", kGauge, "End of validity of the earliest expiring certificate in the chain.", "", true},
    {"hardware_current_amperes", kGauge, "Current, as the hardware's own sensor measures it.", "sensor", true},
    {"hardware_disk_healthy", kGauge, "1 when the disk's own verdict (SMART) is that it is healthy.", "device", true},
    {"hardware_disk_pending_sectors", kGauge, "Sectors that the disk could not read and waits to replace.", "device", true},
    {"hardware_disk_power_on_seconds_total", kCounter, "Time the disk has been powered on in its life.", "device", true},
    {"hardware_disk_reallocated_sectors", kGauge, "Sectors that the disk has replaced with spare ones.", "device", true},
    {"hardware_disk_temperature_celsius", kGauge, "Temperature inside the disk.", "device", true},
    {"hardware_disk_uncorrectable_errors", kGauge, "Errors that the disk could not correct, in its life.", "device", true},
    {"hardware_disk_wear_ratio", kGauge, "Share of the flash disk's rated life that is used; may exceed 1.", "device", true},
    {"hardware_fan_rpm", kGauge, "Speed of the fan in rotations per minute.", "sensor", true},
    {"hardware_power_watts", kGauge, "Power, as the hardware's own sensor measures it.", "sensor", true},
    {"hardware_temperature_celsius", kGauge, "Temperature at a sensor inside the hardware.", "sensor", true},
    {"hardware_voltage_volts", kGauge, "Voltage, as the hardware's own sensor measures it.", "sensor", true},
    {"host_boot_time_seconds", kGauge, "When the host booted, seconds since 1970.", "", false},
    {"host_cpu_seconds_total", kCounter, "Time all CPUs together spent in each mode.", "mode", false},
    {"host_disk_io_time_seconds_total", kCounter, "Time during which the disk had work under way.", "device", false},
    {"host_disk_read_bytes_total", kCounter, "Bytes read from the disk.", "device", false},
    {"host_disk_reads_completed_total", kCounter, "Reads completed by the disk.", "device", false},
    {"host_disk_writes_completed_total", kCounter, "Writes completed by the disk.", "device", false},
    {"host_disk_written_bytes_total", kCounter, "Bytes written to the disk.", "device", false},
    {"host_filesystem_avail", kGauge, "Bytes of the filesystem that unprivileged users can still fill.", "mountpoint,fstype", false},
    {"host_filesystem_files", kGauge, "Inodes of the filesystem.", "mountpoint,fstype", false},
    {"host_filesystem_files_free", kGauge, "Free inodes of the filesystem.", "mountpoint,fstype", false},
    {"host_filesystem_size", kGauge, "Size of the filesystem in bytes.", "mountpoint,fstype", false},
    {"host_load1", kGauge, "Load average over one minute.", "", false},
    {"host_load15", kGauge, "Load average over fifteen minutes.", "", false},
    {"host_load5", kGauge, "Load average over five minutes.", "", false},
    {"host_memory_available_bytes", kGauge, "Memory available to programs without swapping.", "", false},
    {"host_memory_buffers_bytes", kGauge, "Memory in block device buffers.", "", false},
    {"host_memory_cached_bytes", kGauge, "Memory in the page cache.", "", false},
    {"host_memory_free_bytes", kGauge, "Memory used for nothing.", "", false},
    {"host_memory_swap_free_bytes", kGauge, "Free swap space.", "", false},
    {"host_memory_swap_total_bytes", kGauge, "Swap space in all.", "", false},
    {"host_memory_total_bytes", kGauge, "Memory in all.", "", false},
    {"host_network_receive_bytes_total", kCounter, "Bytes received by the network device.", "device", false},
    {"host_network_receive_drops_total", kCounter, "Received packets dropped.", "device", false},
    {"host_network_receive_errors_total", kCounter, "Errors while receiving.", "device", false},
    {"host_network_receive_packets_total", kCounter, "Packets received by the network device.", "device", false},
    {"host_network_transmit_bytes_total", kCounter, "Bytes sent by the network device.", "device", false},
    {"host_network_transmit_drops_total", kCounter, "Packets dropped instead of sent.", "device", false},
    {"host_network_transmit_errors_total", kCounter, "Errors while sending.", "device", false},
    {"host_network_transmit_packets_total", kCounter, "Packets sent by the network device.", "device", false},
    {"host_reboot_required", kGauge, "1 when an installed update waits for a reboot.", "", false},
    {"host_time_offset_seconds", kGauge, "Estimated offset of the system clock from its time source, as the kernel knows it.", "", false},
    {"host_time_synchronised", kGauge, "1 when the kernel counts the system clock as synchronised.", "", false},
    {"host_units_failed", kGauge, "systemd units in the state failed.", "", false},
    {"host_updates_pending", kGauge, "Packages with an update to install; security=\"true\" are the security updates among them.", "security", false},
    {"host_uptime_seconds", kGauge, "Time since the host booted.", "", false},
    {"http_status_code", kGauge, "Status code of the last HTTP response, after redirects.", "", true},
    {"link_jitter_seconds", kGauge, "Mean difference between the round trip times of neighbouring echo requests on the line to the peer.", "peer", true},
    {"link_loss_ratio", kGauge, "Share of echo requests over the line to the peer without an answer, 0 to 1.", "peer", true},
    {"link_rtt_seconds", kGauge, "Mean round trip time of the answered echo requests over the line to the peer.", "peer", true},
    {"pdu_current_amperes", kGauge, "Current through the power distribution unit, or one phase, bank or outlet of it.", "room,sensor", true},
    {"pdu_power_watts", kGauge, "Power through the power distribution unit, or one phase, bank or outlet of it.", "room,sensor", true},
    {"ping_loss_ratio", kGauge, "Share of echo requests without an answer, 0 to 1.", "", true},
    {"ping_rtt_seconds", kGauge, "Mean round trip time of the answered echo requests.", "", true},
    {"plugin_critical", kGauge, "Critical threshold of a plugin's value; bound says on which side (upper, lower) or within which limits it alerts.", "bound,label,unit", true},
    {"plugin_value", kGauge, "Performance data of a monitoring plugin, in base units.", "label,unit", true},
    {"plugin_values_ignored", kGauge, "Pieces of a plugin's performance data left out in the last run: not valid, twice, or over the limit.", "", true},
    {"plugin_warning", kGauge, "Warning threshold of a plugin's value; bound says on which side (upper, lower) or within which limits it alerts.", "bound,label,unit", true},
    {"probe_duration_seconds", kGauge, "Duration of one phase of a probe.", "phase", true},
    // Untyped, because promtool reserves the suffix _count of typed metrics for histograms.
    {"process_count", MetricType::kUntyped, "Processes whose name or command matches.", "", true},
    {"room_door_open", kGauge, "1 when the door is open.", "room,sensor", true},
    {"room_humidity_ratio", kGauge, "Relative humidity of the room's air, 0 to 1.", "room,sensor", true},
    {"room_smoke", kGauge, "1 when the smoke detector tells of smoke.", "room,sensor", true},
    {"room_temperature_celsius", kGauge, "Temperature of the room's air.", "room,sensor", true},
    {"room_water_leak", kGauge, "1 when the detector is wet.", "room,sensor", true},
    {"scrape_series", kGauge, "Series carried from the exporter in the last scrape.", "", true},
    {"scrape_series_dropped", kGauge, "Series of the exporter left out in the last scrape: over the limit or not valid.", "", true},
    {"ups_battery_charge_ratio", kGauge, "Charge of the UPS's battery, 0 to 1.", "room", true},
    {"ups_battery_runtime_seconds", kGauge, "How long the UPS's battery would last at the present load.", "room", true},
    {"ups_input_volts", kGauge, "Voltage at the UPS's input.", "room", true},
    {"ups_load_ratio", kGauge, "Load of the UPS as a share of what it can carry; may exceed 1.", "room", true},
    {"ups_low_battery", kGauge, "1 when the UPS says that its battery is low.", "room", true},
    {"ups_on_battery", kGauge, "1 while the UPS's load runs on its battery.", "room", true},
    {"ups_on_battery_seconds", kGauge, "How long the UPS's load has been running on its battery; absent on mains.", "room", true},
    {"ups_replace_battery", kGauge, "1 when the UPS says that its battery must be replaced.", "room", true},
    {"ups_temperature_celsius", kGauge, "Temperature inside the UPS.", "room", true},
});
// clang-format on

static_assert(std::is_sorted(kFamilies.begin(), kFamilies.end(),
                             [](const Family& a, const Family& b) { return a.name < b.name; }),
              "FindFamily searches by halves");

constexpr auto kReservedPrefixes =
    std::to_array<std::string_view>({"oppetid_", "host_", "probe_", "backup_", "ad_", "room_",
                                     "ups_", "pdu_", "helpdesk_", "plugin_", "ping_", "scrape_",
                                     "hardware_", "link_", "antivirus_"});

}  // namespace

std::span<const Family> Families() { return kFamilies; }

const Family* FindFamily(std::string_view name) {
  const auto found =
      std::lower_bound(kFamilies.begin(), kFamilies.end(), name,
                       [](const Family& family, std::string_view n) { return family.name < n; });
  return found != kFamilies.end() && found->name == name ? &*found : nullptr;
}

bool IsReservedName(std::string_view name) {
  if (FindFamily(name) != nullptr) return true;
  return std::any_of(kReservedPrefixes.begin(), kReservedPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace oppetid
