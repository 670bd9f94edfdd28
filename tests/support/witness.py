"""A plugin that writes the truth down itself.

The witness is an `exec` plugin. What it answers when is decided beforehand, by a seed; each answer
is appended to a log of its own (one write, before the answer is given) with the pid of the agent
that asked and the instants at which the attempt began and ended. A killed agent cannot take that
away: what is in the log has happened, whatever the product knows of it.

account.py compares it with what the product exports.
"""

import random
from dataclasses import dataclass

from fleet import now_ms

STATES = ("ok", "warning", "critical", "unknown")
# The answers change at multiples of this.
SLOT_MS = 100
# How often each state comes; failures often, since they are what must not get lost.
WEIGHTS = (45, 12, 30, 13)

# Nothing but bash itself: no fork, so that dozens a second cost little. The log is opened for
# appending and written to by a single write; SIGKILL of a process cannot undo a write. A limit on
# files that is meant for the agent (small_disk.py) is not for this log.
PLUGIN = """\
#!/bin/bash
LC_ALL=C
ulimit -S -f hard
begun=${{EPOCHREALTIME/./}}
read -r answers <{directory}/$1.answers
slot=$(((begun / 1000 - {origin}) / {slot}))
answer=${{answers:slot:1}}
[ -n "$answer" ] && [ ! -e {directory}/quiet ] || answer=0
echo "$PPID $begun ${{EPOCHREALTIME/./}} $answer" >>{directory}/$1.log
echo "answer $answer"
exit "$answer"
"""


@dataclass
class Check:
    name: str
    every: int
    valid_for: int
    confirm: int = 0

    def yaml(self, plugin, host):
        return (f"  - {{name: {self.name}, sensor: exec, command: [{plugin}, {host}.{self.name}], "
                f"every: {self.every}ms, deadline: 30s, confirm: {self.confirm}, "
                f"valid_for: {self.valid_for}ms}}\n")


@dataclass
class Attempt:
    begun: int
    ended: int
    state: int


class Witness:
    """The plugin, its answers and its logs, in `directory`."""

    def __init__(self, directory, hosts, checks, seed, seconds):
        self.checks = checks
        self.hosts = hosts
        self._directory = directory
        directory.mkdir(mode=0o755)
        self.plugin = directory / "witness"
        self.plugin.write_text(PLUGIN.format(directory=directory, origin=now_ms(), slot=SLOT_MS),
                               "utf-8")
        self.plugin.chmod(0o755)
        for host in hosts:
            for check in checks:
                answers = self._answers(random.Random(f"{seed}/{host}/{check.name}"), seconds)
                (directory / f"{host}.{check.name}.answers").write_text(answers + "\n", "utf-8")
                self._log(host, check).touch()

    @staticmethod
    def _answers(rng, seconds):
        slots, state = [], 0
        while len(slots) * SLOT_MS < seconds * 1000:
            others = [s for s in range(4) if s != state]
            state = rng.choices(others, [WEIGHTS[s] for s in others])[0]
            slots += [str(state)] * rng.randint(1, 5)
        return "".join(slots)

    def yaml(self, host):
        return "".join(check.yaml(self.plugin, host) for check in self.checks)

    def quiet(self):
        """From now on every answer is ok."""
        (self._directory / "quiet").touch()

    def size(self):
        """Grows with each answer."""
        return sum(self._log(h, c).stat().st_size for h in self.hosts for c in self.checks)

    def answer_of(self, host, check, instant):
        """The state answered by the attempt that the agent began at this instant, or None."""
        after = 0
        for _, begun, ended, state in self._read(host, check):
            if after <= instant <= begun:
                return STATES[state]
            after = ended
        return None

    def lives(self, host, check, agent_lives):
        """The attempts of each life of the agent, and how many it did not live to hear of."""
        attempts, orphans = self._read(host, check), 0
        lives = [[] for _ in agent_lives]
        for pid, begun, ended, state in sorted(attempts, key=lambda a: a[1]):
            mine = [i for i, life in enumerate(agent_lives)
                    if life[0] == pid and life[1] <= begun and begun <= (life[2] or begun)]
            if mine:
                lives[mine[-1]].append(Attempt(begun, ended, state))
            else:
                orphans += 1
        return lives, orphans

    def _log(self, host, check):
        return self._directory / f"{host}.{check.name}.log"

    def _read(self, host, check):
        """(pid, begun, ended, state) of each answer, in ms; a line being written is not yet one."""
        lines = self._log(host, check).read_text("ascii").split("\n")[:-1]
        rows = [[int(word) for word in line.split()] for line in lines]
        return [(pid, begun // 1000, ended // 1000, state) for pid, begun, ended, state in rows]
