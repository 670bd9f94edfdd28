# What deploy/run and tests/run share: telling, installing, building. Sourced by bash.

# Loopback is never reached through a proxy that the environment names for apt or npm.
export no_proxy=127.0.0.1,localhost,::1 NO_PROXY=127.0.0.1,localhost,::1

say() { printf '==> %s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

build_packages=(
  g++ cmake ninja-build ccache mold pkg-config protobuf-compiler protobuf-compiler-grpc
  libprotobuf-dev libgrpc++-dev libboost1.81-dev libboost-system1.81-dev libboost-json1.81-dev
  libboost-url1.81-dev prometheus-cpp-dev libgtest-dev libgmock-dev libsqlite3-dev libyaml-cpp-dev
  libcli11-dev libkrb5-dev libldap-dev libsasl2-dev libsmbclient-dev libssl-dev libre2-dev
  libhowardhinnant-date-dev tzdata zlib1g-dev ca-certificates hostname
)
run_packages=(openssl curl prometheus prometheus-alertmanager monitoring-plugins-basic)
test_packages=(
  git python3 jq iproute2 iputils-ping clang-14 libclang-rt-14-dev llvm-14 nodejs npm
  prometheus-node-exporter sqlite3 systemd restic borgbackup pgbackrest
  # What the sensors of the server room and the recipes are tried against.
  nut-server snmpd openipmi ipmitool smartmontools clamav-daemon slapd msmtp postgresql-15
  monitoring-plugins-standard libpq5 libldap-2.5-0 libmariadb3 dovecot-imapd dovecot-submissiond
  mariadb-server-core mariadb-client-core
  # A real Active Directory (tests/support/samba_domain).
  samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind python3-samba krb5-user
  ldap-utils bind9-dnsutils faketime libsasl2-modules-gssapi-mit libsmbclient
  # A virtual machine with disks and a BMC (tests/e2e/machine).
  qemu-system-x86 udev
  # A real Request Tracker.
  request-tracker5 rt5-db-sqlite rt5-standalone dbconfig-no-thanks msmtp-mta
)

# need PACKAGE…: installs what is missing. No service is started and no unit enabled by it.
need() {
  local missing=() package
  for package in "$@"; do
    # A tool that is there already from elsewhere (a newer node) is as good as the package.
    case $package in nodejs | npm) command -v "${package/nodejs/node}" >/dev/null && continue ;; esac
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" -eq 0 ] ||
    fail "missing packages; run as root: apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${#missing[@]} packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! install_quietly "${missing[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "could not install: ${missing[*]} (the end of apt's output stands above)"
  fi
  rm -f "$log"
}

# In a subshell of its own, so that its trap undoes the policy however it ends.
install_quietly() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  status=0
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y \
    --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" || status=1
  # What a package enables of itself is not to start with the machine either.
  for package in "$@"; do
    units=$package.service
    case $package in
      clamav-daemon) units+=" clamav-daemon.socket clamav-freshclam.service" ;;
      dovecot-imapd) units="dovecot.service dovecot.socket" ;;
      nut-server) units+=" nut.target nut-driver.target nut-driver-enumerator.path
        nut-driver-enumerator.service nut-monitor.service" ;;
      postgresql*) units=postgresql.service ;;
      openipmi | slapd) update-rc.d "$package" disable || true ;;
      prometheus* | request-tracker5 | smartmontools | snmpd) ;;
      *) continue ;;
    esac
    # Outside of a package's own scripts it wants to be told whose unit it is.
    for unit in $units; do
      DPKG_MAINTSCRIPT_PACKAGE=$package deb-systemd-helper disable "$unit" || true
    done
  done
  exit $status
)

# build PRESET [TARGET…]: configures if needed and builds, with ninja's progress on a terminal.
build() {
  local preset=$1
  shift
  say "building ($preset)"
  # Clones of the project share what ccache has, wherever they stand.
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
  local log
  log=$(mktemp)
  if ! (cd "$root" && cmake --preset "$preset" >"$log" 2>&1); then
    cat "$log" >&2
    fail "cmake failed"
  fi
  if [ -t 2 ]; then
    ninja -C "$root/build/$preset" "$@" >&2 || fail "the build failed"
  elif ! ninja -C "$root/build/$preset" "$@" >"$log" 2>&1; then
    grep -E 'error|FAILED' "$log" | head -n 40 >&2
    fail "the build failed"
  fi
  rm -f "$log"
}
