"""A network between an agent and its collector that the test can cut without either being told.

Where network namespaces can be made (root with CAP_SYS_ADMIN and CAP_NET_ADMIN) the agent and the
collector have one each, and between them stands a third that forwards packets, or does not: then
they vanish, without a reset or an ICMP message, as behind a firewall that has lost its state; or
its link to the agent is down. Where not, a TCP proxy stands between them that takes nothing more
and gives nothing more, and closes nothing: either side's kernel is content, and only the programs
themselves can notice. `how` says which one it is.

`listen` is the collector's address, `target()` what the agents connect to, `prefix_of` what a
program has to be started with.
"""

import socket
import subprocess
import threading

from oncall import Failure, free_ports
from small_disk import holder

# No machine of ours lives here (RFC 2544, for tests of networks).
LEFT, LEFT_GATE = "198.18.1.2", "198.18.1.1"
RIGHT, RIGHT_GATE = "198.18.2.2", "198.18.2.1"
CHUNK = 65_536


class Namespaces:
    """Left: the agent. Right: the collector. Gate: between them."""

    listen = RIGHT

    def __init__(self, port):
        self._port = port
        self._holders = {}
        self._no_answers = False
        self.how = "network namespaces (unshare -n)"

    def set_up(self):
        """None, or why it cannot be."""
        try:
            for name in ("gate", "left", "right"):
                process, reason = holder(["-n"], "ip link set lo up && echo ready && exec cat")
                if not process:
                    return f"unshare -n: {reason}"
                self._holders[name] = process
            for side, address, gate in (("left", LEFT, LEFT_GATE), ("right", RIGHT, RIGHT_GATE)):
                pid = str(self._holders[side].pid)
                self._in("gate", "ip", "link", "add", side, "type", "veth", "peer", "name", "eth",
                         "netns", pid)
                self._in("gate", "ip", "address", "add", f"{gate}/24", "dev", side)
                self._in(side, "ip", "address", "add", f"{address}/24", "dev", "eth")
                self._in("gate", "ip", "link", "set", side, "up")
                self._in(side, "ip", "link", "set", "eth", "up")
                self._in(side, "ip", "route", "add", "default", "via", gate)
            self._forward(1)
        except (Failure, OSError) as failure:
            self.close()
            return str(failure)
        return None

    def target(self):
        return f"{RIGHT}:{self._port}"

    def prefix_of(self, name):
        side = "right" if name == "collector" else "left"
        return ["nsenter", "-t", str(self._holders[side].pid), "-n"]

    def cut_silently(self):
        self._forward(0)

    def cut_answers(self):
        """What the agent sends arrives; what the collector sends does not."""
        self._in("gate", "ip", "route", "add", "blackhole", f"{LEFT}/32")
        self._no_answers = True

    def cut_link(self):
        self._in("gate", "ip", "link", "set", "left", "down")

    def heal(self):
        self._in("gate", "ip", "link", "set", "left", "up")
        if self._no_answers:
            self._in("gate", "ip", "route", "del", "blackhole", f"{LEFT}/32")
            self._no_answers = False
        self._forward(1)

    def close(self):
        for process in self._holders.values():
            process.stdin.close()
            process.wait()

    def _forward(self, on):
        self._in("gate", "sh", "-c", f"echo {on} >/proc/sys/net/ipv4/ip_forward")

    def _in(self, name, *command):
        done = subprocess.run(["nsenter", "-t", str(self._holders[name].pid), "-n", *command],
                              capture_output=True, text=True, timeout=20, check=False)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)}: {done.stderr.strip()}")


class Proxy:
    """Forwards bytes while its gate is open; connections that come meanwhile wait."""

    listen = "127.0.0.1"

    def __init__(self, port, why_not):
        self._port = port
        self.how = f"a TCP proxy ({why_not})"
        self._forth, self._back = threading.Event(), threading.Event()
        self.heal()
        self._server = socket.create_server(("127.0.0.1", free_ports(1)[0]))
        threading.Thread(target=self._serve, daemon=True).start()

    def target(self):
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def prefix_of(self, _):
        return []

    def cut_silently(self):
        self._forth.clear()
        self._back.clear()

    cut_link = cut_silently

    def cut_answers(self):
        self._back.clear()

    def heal(self):
        self._forth.set()
        self._back.set()

    def close(self):
        self.heal()
        self._server.close()

    def _serve(self):
        while True:
            try:
                agent, _ = self._server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._connect, args=(agent,), daemon=True).start()

    def _connect(self, agent):
        self._forth.wait()
        try:
            collector = socket.create_connection(("127.0.0.1", self._port), 10)
        except OSError:
            agent.close()  # as a port that nobody listens on
            return
        collector.settimeout(None)
        threading.Thread(target=self._copy, args=(agent, collector, self._forth),
                         daemon=True).start()
        self._copy(collector, agent, self._back)

    @staticmethod
    def _copy(source, drain, gate):
        try:
            while True:
                gate.wait()
                chunk = source.recv(CHUNK)
                gate.wait()  # cut while it waited for something to come
                if not chunk:
                    break
                drain.sendall(chunk)
        except OSError:
            pass  # one side is gone: so is the other, now
        gate.wait()
        for one in (source, drain):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # gone already


def network(port, only_proxy=False):
    if only_proxy:
        return Proxy(port, "as asked for")
    namespaces = Namespaces(port)
    reason = namespaces.set_up()
    return Proxy(port, reason) if reason else namespaces
