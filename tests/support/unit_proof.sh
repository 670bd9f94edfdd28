# What tests/e2e/units and tests/e2e/machine share: the product installed as its units on a throw-away
# machine, and one more unit, proof.service, that looks at it and ends the machine. Sourced by bash, with
# `root` set to the project's folder. The proof's output and verdict are kept in /run/proof.

# --- What the proof itself uses -------------------------------------------------------------------
check() { # DESCRIPTION COMMAND…
  local what=$1
  shift
  if "$@"; then echo "ok: $what"; else echo "FAILED: $what" >&2; exit 1; fi
}
until_true() { # SECONDS COMMAND…
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    read -rt 0.2 <> <(:) || true
  done
}
told() { curl -s --max-time 20 http://127.0.0.1:9860/api/v1/status; }
state_of() { told | jq -r --arg c "$1" '.checks[]|select(.check==$c)|.state'; }
text_of() { told | jq -r --arg c "$1" '.checks[]|select(.check==$c)|.text'; }
is() { [ "$(state_of "$1" 2>/dev/null)" = "$2" ]; }
expect_state() { # SECONDS CHECK STATE
  until_true "$1" is "$2" "$3" ||
    { echo "FAILED: $2 is not $3 but $(state_of "$2"): $(text_of "$2")" >&2; exit 1; }
}
all_fine() { echo "all fine" >/run/proof/verdict; }

# --- Before systemd starts ------------------------------------------------------------------------
# The Nth block of steps in deploy/systemd/README.md, word for word.
steps() { # N
  (
    cd "$root"
    awk -v wanted="$1" '/^```sh$/ {n++; inside = 1; next} /^```$/ {inside = 0}
      inside && n == wanted' deploy/systemd/README.md >/run/proof.steps
    [ -s /run/proof.steps ]
    bash -euo pipefail /run/proof.steps
  )
}

# Certificates for both services, and the collector's configuration. The agent's is the test's.
configure() {
  local ca=/var/proof/ca
  mkdir -p $ca
  openssl ecparam -name prime256v1 -genkey -noout -out $ca/ca.key
  openssl req -x509 -new -key $ca/ca.key -subj /CN=test -days 3 -out $ca/ca.pem \
    -addext basicConstraints=critical,CA:TRUE 2>/dev/null
  issue() { # DIRECTORY NAME USER EXTENSIONS
    openssl ecparam -name prime256v1 -genkey -noout -out "$1/$2.key"
    openssl req -new -key "$1/$2.key" -subj "/CN=$2" |
      openssl x509 -req -CA $ca/ca.pem -CAkey $ca/ca.key -CAcreateserial -days 2 \
        -out "$1/$2.pem" -extfile <(printf '%s\n' "$4") 2>/dev/null
    cp $ca/ca.pem "$1/ca.pem"
    chown "$3:" "$1" "$1"/*
    chmod 600 "$1/$2.key"
  }
  issue /var/lib/oppetid server oppetid "subjectAltName=IP:127.0.0.1"
  issue /var/lib/oppetid-agent agent oppetid-agent \
    "subjectAltName=URI:spiffe://oppetid.example/municipality/demo/host/srv1"
  cat >/etc/oppetid/collector.yaml <<'YAML'
state: /var/lib/oppetid
admin_socket: /run/oppetid/admin.sock
trust_domain: oppetid.example
http: {listen: "127.0.0.1:9860", anonymous: true}
YAML
}

# proof.service runs COMMAND with both services up. Only what is proved is started, not this machine's
# own services.
prove_by() { # SECONDS EXIT COMMAND: `exit` or `poweroff`
  local unit
  cat >/etc/systemd/system/proof.service <<UNIT
[Unit]
Wants=oppetid-collector.service
Wants=oppetid-agent.service
After=oppetid-collector.service oppetid-agent.service
DefaultDependencies=no
SuccessAction=$2-force
FailureAction=$2-force
[Service]
Type=oneshot
TimeoutStartSec=$1
ExecStart=$3
StandardOutput=append:/run/proof/output
StandardError=append:/run/proof/output
UNIT
  mkdir -p /etc/systemd/system/oppetid-{agent,collector}.service.d
  for unit in agent collector; do
    printf '[Unit]\nDefaultDependencies=no\n[Service]\nStandardError=append:%s\n' \
      /run/proof/$unit.log >/etc/systemd/system/oppetid-$unit.service.d/test.conf
  done
}
