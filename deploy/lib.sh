# What deploy/run and tests/run share: telling, installing, building. Sourced by bash.

say() { printf '==> %s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

build_packages=(
  g++ cmake ninja-build ccache mold pkg-config protobuf-compiler protobuf-compiler-grpc
  libprotobuf-dev libgrpc++-dev libboost1.81-dev libboost-system1.81-dev libboost-json1.81-dev
  libboost-url1.81-dev prometheus-cpp-dev libgtest-dev libgmock-dev libsqlite3-dev libyaml-cpp-dev
  libcli11-dev libssl-dev libre2-dev libhowardhinnant-date-dev tzdata zlib1g-dev
  ca-certificates
)
run_packages=(openssl curl prometheus prometheus-alertmanager monitoring-plugins-basic)
test_packages=(
  git python3 jq iproute2 iputils-ping clang-14 libclang-rt-14-dev llvm-14 nodejs npm
  prometheus-node-exporter sqlite3
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
  local policy=/usr/sbin/policy-rc.d made=0
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    made=1
  fi
  local log
  log=$(mktemp)
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y \
    --no-install-recommends -o DPkg::Lock::Timeout=600 "${missing[@]}"; } >"$log" 2>&1; then
    [ $made -eq 1 ] && rm -f $policy
    tail -n 20 "$log" >&2
    fail "could not install: ${missing[*]} (the end of apt's output stands above)"
  fi
  [ $made -eq 1 ] && rm -f $policy
  rm -f "$log"
  for package in "${missing[@]}"; do
    # Only the daemons we start ourselves come with a unit.
    case $package in prometheus*)
      command -v deb-systemd-helper >/dev/null && deb-systemd-helper disable "$package.service" \
        >/dev/null 2>&1 || true
      ;;
    esac
  done
}

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
