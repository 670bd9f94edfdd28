"""Starting the whole product for end-to-end tests, and a service of the test's own to watch.

Loopback only, the standard library only.
"""

import json
import os
import signal
import socketserver
import subprocess
import threading
import urllib.parse
from pathlib import Path

from oncall import Failure, free_ports, get, wait_for

# Keys, certificates, four processes and Prometheus' discovery on a busy machine; and a build, where
# nothing was built before.
READY_SECONDS = 300
STOP_SECONDS = 30


def expect(condition, what):
    if not condition:
        raise Failure(what)


class Service:
    """A TCP service on a fixed port of its own that accepts and closes; stopped and started at will."""

    def __init__(self, port):
        self.port = port
        self._server = None

    def start(self):
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(
            ("127.0.0.1", self.port), socketserver.BaseRequestHandler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Product:
    """deploy/run in the foreground with its output in a file; stopped as by Ctrl-C.

    `checks` is the text of further checks for agent.yaml, in which {http} is the collector's address.
    """

    def __init__(self, command, state, checks, environment=None):
        http, grpc, prometheus, alertmanager = (f"127.0.0.1:{p}" for p in free_ports(4))
        file = state / "checks.yaml"
        file.write_text(checks.replace("{http}", http), "utf-8")
        self._log = state / "deploy-run.log"
        env = dict(os.environ, OPPETID_AGENT_CHECKS=str(file), **(environment or {}))
        self.state = state / "oppetid"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [command, "--state", str(state / "oppetid"), "--http", http, "--grpc", grpc,
                 "--prometheus", prometheus, "--alertmanager", alertmanager],
                env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._run_json = state / "oppetid/run.json"
        self.run = {}

    def pid(self, name):
        """The pid of a part as run.json has it now."""
        return json.loads(self._run_json.read_text("utf-8"))["pids"][name]

    def running(self):
        return self._process.poll() is None

    def check_alive(self):
        if self._process.poll() is not None:
            raise Failure(f"deploy/run ended with {self._process.returncode}:\n{self.log()}")

    def log(self):
        return self._log.read_text("utf-8", "replace")[-4000:]

    def wait_ready(self):
        wait_for("deploy/run to write run.json", self._run_json.exists, READY_SECONDS,
                 self.check_alive)
        self.run = json.loads(self._run_json.read_text("utf-8"))

    def url(self, what):
        address = self.run[what]
        return address if "://" in address else f"http://{address}"

    def query(self, expression):
        """The series of an instant query, [] when Prometheus does not answer yet."""
        body = get(f"{self.url('prometheus')}/api/v1/query?"
                   + urllib.parse.urlencode({"query": expression}))
        return json.loads(body)["data"]["result"] if body else []

    def stop(self):
        """As Ctrl-C does it; gives what is left of it afterwards, which should be nothing."""
        pids = self.run.get("pids", {})
        if self._run_json.exists():
            pids = json.loads(self._run_json.read_text("utf-8"))["pids"]
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        left = [f"{name} ({pid})" for name, pid in pids.items() if runs(pid)]
        for pid in pids.values():
            if runs(pid):
                os.kill(pid, signal.SIGKILL)
        return left


def runs(pid):
    """Whether the process is there and not merely waiting to be collected by its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
