#include "tests/support/postgres_cluster.h"

#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace oppetid {
namespace {

constexpr Millis kPatience{60'000};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "no PostgreSQL for this test: %s\n", what.c_str());
  std::abort();
}

// Debian keeps the server's programs out of PATH, by version.
std::string ServerPrograms() {
  std::string found;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", missing)) {
    const std::string bin = entry.path().string() + "/bin";
    if (std::filesystem::exists(bin + "/initdb")) found = std::max(found, bin);
  }
  return found;
}

}  // namespace

PostgresCluster::PostgresCluster() : bin_(ServerPrograms()) {
  if (bin_.empty()) Fail("postgresql is not installed");
  if (::geteuid() == 0) {
    const passwd* nobody = ::getpwnam("nobody");
    if (nobody == nullptr) Fail("there is no user nobody");
    as_ = "setpriv --reuid=nobody --regid=" + std::to_string(nobody->pw_gid) + " --clear-groups ";
    if (::chown(directory().c_str(), nobody->pw_uid, nobody->pw_gid) != 0) Fail("chown");
  }
  if (::chmod(directory().c_str(), 0755) != 0) Fail("chmod");
  if (As("initdb -D " + data() + " -U postgres -A trust --no-sync --locale=C --encoding=UTF8 >" +
         directory() + "/initdb.log 2>&1") != 0) {
    Fail("initdb");
  }
  if (As("printf \"%s\\n\" \"listen_addresses = ''\" \"unix_socket_directories = '" + directory() +
         "'\" 'fsync = off' 'archive_mode = on' >>" + data() + "/postgresql.conf") != 0) {
    Fail("postgresql.conf");
  }
}

PostgresCluster::~PostgresCluster() { Stop(); }

int PostgresCluster::As(const std::string& script) const {
  const std::string file = directory() + "/script";
  std::ofstream(file) << "set -e\ncd " << directory() << "\nexport PATH=" << bin_
                      << ":/usr/bin:/bin LC_ALL=C.UTF-8 HOME=" << directory()
                      << " PGUSER=postgres PGHOST=" << directory() << "\n"
                      << script << "\n";
  ::chmod(file.c_str(), 0644);
  const int status = std::system((as_ + "sh " + file).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int PostgresCluster::Sql(const std::string& statement) const {
  const std::string file = directory() + "/statement.sql";
  std::ofstream(file) << statement << "\n";
  ::chmod(file.c_str(), 0644);
  return As("psql -X -q -v ON_ERROR_STOP=1 -d postgres -f " + file + " >/dev/null");
}

void PostgresCluster::Start() {
  // setpriv sets the signal anew after it has changed the user, which clears it.
  std::vector<std::string> command = {"/usr/bin/setpriv", "--pdeathsig", "QUIT"};
  if (!as_.empty()) {
    const passwd* nobody = ::getpwnam("nobody");
    command.insert(command.end(), {"--reuid=nobody", "--regid=" + std::to_string(nobody->pw_gid),
                                   "--clear-groups"});
  }
  command.insert(command.end(), {Bin("postgres"), "-D", data()});
  auto server = ChildProcess::Start(std::move(command));
  if (!server.ok()) Fail(std::string(server.status().message()));
  server_ = *std::move(server);
  if (server_->AwaitLine("ready to accept connections", kPatience).empty()) {
    Fail(server_->LastLines());
  }
}

void PostgresCluster::Stop() {
  if (server_ == nullptr) return;
  // SIGTERM waits for sessions; there are none.
  server_->Stop();
  server_.reset();
}

}  // namespace oppetid
