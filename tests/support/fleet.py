"""A collector and agents as processes of their own, for tests that kill, starve and cut them off.

Unlike product.py this starts the programs themselves, without deploy/run, Prometheus and
Alertmanager: certificates and configuration are written here, and each program is started, killed
and started again by the test, as a supervisor would. Everything stands in one directory of the
test's own; the standard library and openssl only.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

from oncall import Failure, wait_for

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "build/dev/bin"
# An ordinary stop has ten seconds at most (collector.cc); as much again on a busy machine.
STOP_SECONDS = 20
# A start on a machine that is busy with other tests.
START_SECONDS = 30


def now_ms():
    return time.time_ns() // 1_000_000


def millis(text):
    """An RFC 3339 instant in UTC, as the product prints it, as milliseconds."""
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return round(at.timestamp() * 1000)


class Authority:
    """A CA in `directory`, as deploy/run makes one, and what it signs."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(mode=0o700)
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        self._make_key(self._key)
        self._openssl("req", "-x509", "-new", "-key", self._key, "-subj", "/CN=Test CA", "-days",
                      "2", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                      "keyUsage=critical,keyCertSign,cRLSign", "-out", self.certificate)

    def issue(self, certificate, key, extensions):
        self._make_key(key)
        request = key.with_suffix(".csr")
        extension_file = key.with_suffix(".ext")
        extension_file.write_text("\n".join(extensions) + "\n", "utf-8")
        self._openssl("req", "-new", "-key", key, "-subj", "/CN=test", "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                      "-CAcreateserial", "-days", "2", "-extfile", extension_file, "-out",
                      certificate)

    def _make_key(self, path):
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        path.chmod(0o600)

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode != 0:
            raise Failure(f"openssl {arguments[0]}: {done.stderr}")


class Program:
    """A program of ours: started, killed, stopped; its log is appended to over all its lives.

    `prefix` is what runs it somewhere else (nsenter …) and becomes it, so that its pid is ours.
    """

    def __init__(self, name, argv, log, prefix=()):
        self.name = name
        # However the test ends, the program ends with it.
        with_us = ("setpriv", "--pdeathsig", "KILL")
        self.argv = [str(word) for word in (*prefix, *with_us, *argv)]
        self.log = log
        self.lives = []  # [pid, started, ended or None], in ms of the wall clock
        self.no_room = False  # whether it is started with a limit that lets it write to no file
        self._process = None
        self._copier = None

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        began = now_ms()
        limit = ["prlimit", "--fsize=0:"] if self.no_room else []
        # Signals stay as Python has them: SIGXFSZ ignored, so that a limit on the size of files is
        # an error to the program and not its death. For the same limit its log is a pipe.
        self._process = subprocess.Popen(limit + self.argv, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         bufsize=0, restore_signals=False)
        self.lives.append([self._process.pid, began, None])
        self._copier = threading.Thread(target=self._copy, args=(self._process.stdout,),
                                        daemon=True)
        self._copier.start()

    def _copy(self, pipe):
        with open(self.log, "ab", buffering=0) as log:
            while chunk := os.read(pipe.fileno(), 65536):
                log.write(chunk)

    def running(self):
        return self._process is not None and self._process.poll() is None

    def check_alive(self):
        if not self.running():
            raise Failure(f"{self.name} has ended by itself ({self._process.returncode}):\n"
                          f"{self.tail()}")

    def kill(self):
        """SIGKILL; the program must have lived until then."""
        self.check_alive()
        os.kill(self.pid, signal.SIGKILL)
        self._ended(self._process.wait(STOP_SECONDS), -signal.SIGKILL)

    def stop(self):
        """SIGTERM or SIGHUP by turns, and the end that was promised; before it has started the
        signal may end it."""
        self.check_alive()
        how = (signal.SIGTERM, signal.SIGHUP)[len(self.lives) % 2]
        os.kill(self.pid, how)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not end within {STOP_SECONDS} s") from None
        began = self.lives[-1][1]
        self._copier.join(STOP_SECONDS)
        early = code == -how and not self.told('msg="started"', began)
        self._ended(code, code if early else 0)

    def clear(self):
        """Whatever happened, nothing is left."""
        if self.running():
            os.kill(self.pid, signal.SIGKILL)
            self._process.wait()

    def wait_end(self):
        """The exit code of a program that ends by itself; -9 and the like where a signal did it."""
        wait_for(f"{self.name} to end", lambda: not self.running(), START_SECONDS)
        self._ended(self._process.returncode, self._process.returncode)
        return self._process.returncode

    def signal(self, what):
        self.check_alive()
        os.kill(self.pid, what)

    def told(self, words, after=0):
        """The instants (ms) of the log lines at or after `after` that hold these words."""
        found = []
        for line in self.log.read_text("utf-8", "replace").splitlines():
            at = re.match(r"ts=(\S+) ", line)
            if at and words in line and millis(at[1]) >= after:
                found.append(millis(at[1]))
        return found

    def tail(self):
        return self.log.read_text("utf-8", "replace")[-2000:] if self.log.exists() else ""

    def _ended(self, code, expected):
        self.lives[-1][2] = now_ms()
        self._copier.join(STOP_SECONDS)
        self._process.stdout.close()
        if code != expected:
            raise Failure(f"{self.name} ended with {code}, not {expected}:\n{self.tail()}")


class Fleet:
    """One collector and an agent per host, with everything they need, in `directory`.

    interval_ms is that of every agent.

    `checks` gives the text of an agent's checks for a host. `state_of` may put the state of a
    program ("collector" or a host) elsewhere, `prefix_of` may run it elsewhere, and `listen` and
    `target` say where the collector listens and the agents connect.
    """

    def __init__(self, directory, hosts, checks, ports, *, binaries=BIN, state_of=None,
                 prefix_of=None, listen="127.0.0.1", target=None):
        self.interval_ms = 1000
        self._binaries = Path(binaries)
        self._directory = directory
        self._state_of = state_of or (lambda name: directory / name)
        self._prefix_of = prefix_of or (lambda name: ())
        self.http, grpc = ports
        authority = Authority(directory / "ca")
        self.collector = self._collector(authority, f"{listen}:{grpc}", listen)
        self.agents = {host: self._agent(authority, host, checks(host),
                                         target or f"{listen}:{grpc}") for host in hosts}
        self.socket = self._state_of("collector") / "admin.sock"

    def programs(self):
        return [self.collector, *self.agents.values()]

    def check_alive(self):
        for program in self.programs():
            program.check_alive()

    def clear(self):
        for program in self.programs():
            program.clear()

    def start_all(self):
        self.collector.start()
        self.wait_ready()
        for agent in self.agents.values():
            agent.start()

    def wait_ready(self):
        wait_for("the collector to be ready", lambda: self.page("/readyz")[0] == 200,
                 START_SECONDS, self.collector.check_alive)

    def page(self, path):
        """(status, text) of a page, asked over the admin socket; (0, reason) without an answer."""
        connection = http.client.HTTPConnection("oppetid", timeout=20)
        try:
            connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.sock.settimeout(20)
            connection.sock.connect(str(self.socket))
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def metric(self, name):
        """The value of a metric without labels, or None."""
        for line in self.page("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return None

    def oppetid(self, *arguments):
        done = subprocess.run([str(self._binaries / "oppetid"), *arguments, "--socket",
                               str(self.socket)], capture_output=True, text=True, timeout=120,
                              check=False)
        if done.returncode != 0:
            raise Failure(f"oppetid {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def status(self):
        """The status as agents by host and checks by (host, check); empty without an answer."""
        code, text = self.page("/api/v1/status")
        told = json.loads(text) if code == 200 else {"agents": [], "checks": []}
        return ({a["host"]: a for a in told["agents"]},
                {(c["host"], c["check"]): c for c in told["checks"]})

    def history(self):
        """Every span of the export, as printed."""
        year = datetime.now(timezone.utc).year
        text = self.oppetid("export", "history", "--period", f"{year}-01-01..{year + 1}-01-02")
        facts = [json.loads(line) for line in text.splitlines()]
        return [fact for fact in facts if fact["type"] == "span"]

    def _collector(self, authority, grpc, address):
        state = self._state_of("collector")
        files = self._directory / "collector-files"
        files.mkdir(mode=0o700)
        authority.issue(files / "server.pem", files / "server.key",
                        [f"subjectAltName=DNS:localhost,IP:127.0.0.1,IP:{address}",
                         "extendedKeyUsage=serverAuth"])
        config = files / "collector.yaml"
        config.write_text(
            f'state: {state}\ngrpc: "{grpc}"\n'
            f'http: {{listen: "127.0.0.1:{self.http}", anonymous: true}}\n'
            f"trust_domain: oppetid.local\n"
            f"tls: {{ca: {authority.certificate}, certificate: {files}/server.pem, "
            f"key: {files}/server.key}}\n", "utf-8")
        return Program("collector", [self._binaries / "oppetid-collector", "run", "--config",
                                     config], self._directory / "collector.log",
                       self._prefix_of("collector"))

    def _agent(self, authority, host, checks, target):
        state = self._state_of(host)
        files = self._directory / f"{host}-files"
        files.mkdir(mode=0o700)
        authority.issue(files / "agent.pem", files / "agent.key",
                        [f"subjectAltName=URI:spiffe://oppetid.local/municipality/demo/host/{host}",
                         "extendedKeyUsage=clientAuth"])
        config = files / "agent.yaml"
        config.write_text(
            f'collector: ["{target}"]\nstate: {state}\ninterval: {self.interval_ms}ms\n'
            f"tls: {{ca: {authority.certificate}, certificate: {files}/agent.pem, "
            f"key: {files}/agent.key}}\nchecks:\n{checks}", "utf-8")
        return Program(host, [self._binaries / "oppetid-agent", "run", "--config", config],
                       self._directory / f"{host}.log", self._prefix_of(host))
