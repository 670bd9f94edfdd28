"""The witness' log beside an export: what must be there, what may be lost, what never stands there.

The rule follows from what a run is and when it holds (ARCHITECTURE.md, «Runs and spans»). Of one
check, let a *life* be what one process of the agent attempted, in order; a life makes one attempt
at a time, and the next one begins only after the answer to the one before is on the agent's disk.
So

 1. of each life only the *last* attempt may be unknown to the product (the attempt under way);
    every earlier one counts. Attempts go through the confirmation that the check asks for, and
    what remains are observations, and unbroken stretches of them runs.
 2. Each run that counts stands in the export exactly once: one span of its state whose `from` is
    after the end of the attempt before its first one, and not after that first one's own beginning
    (the agent's instant is the start of the attempt, before the fork). Nothing else stands there:
    a span that no run of the log explains is invented, a second one for the same run is a
    duplicate. A run that was learnt late may stand in pieces end to end.
 3. No span lasts longer than the run's newest attempt + valid_for. So ok time ends there, at the
    latest: that is the only time of which the product may speak without having looked.
 4. At the instant of each attempt that counts, the export says that attempt's state. It may say
    unknown instead where a declared gap covers it, and within one interval (and one write) before
    a kill, since `last` reaches the disk once an interval. It never says any other state. In
    particular no ok covers an instant of a counted answer that was not ok; only the last attempt of
    a killed life may be overlooked by an ok that still holds by its valid_for.
 5. A run may be missing only inside a declared gap.
 6. Nothing is from the future: no span begins after the export, or was recorded after it, or before
    the span began.
"""

from dataclasses import dataclass, field

from fleet import millis, now_ms
from oncall import Failure, wait_for
from witness import STATES

CRITICAL, UNKNOWN = 2, 3
# Of two spans that begin together the worse one counts: critical, warning, ok, unknown.
BADNESS = (1, 2, 3, 0)
# What the agent is late with, at most, on a machine that does much else: a save of the open runs.
LATE_MS = 1_500
# How many contradictions are shown.
SHOWN = 20


@dataclass
class Point:
    """An attempt whose state the export must say."""

    at: int
    earliest: int  # the agent's own instant of it, at the earliest
    decided: int  # the beginning of the attempt that confirmed it
    counts: bool


@dataclass
class Run:
    """A run as it follows from the log: `since` is in [after, begun], `last` at most `last`."""

    state: int
    after: int
    begun: int
    last: int
    decided: int  # the beginning of the attempt that confirmed it
    counts: bool  # else it may be missing: its first attempt was the last of a life
    goes_on: "Run" = None  # after a silence about as long as valid_for it may be this one, going on
    points: list = field(default_factory=list)
    spans: list = field(default_factory=list)  # of the export: pieces of one run, end to end
    heads: int = 0  # how many of them begin it; one, if all is well


def observations(attempts, confirm):
    """(first attempt, deciding attempt, state) of what confirmation makes of the attempts."""
    current, first, left = None, None, 0
    for i, attempt in enumerate(attempts):
        if attempt.state == CRITICAL and current != CRITICAL:
            if first is None:
                first, left = i, confirm + 1
            left -= 1
            if left > 0:
                continue
        since = i
        if first is not None and attempt.state in (CRITICAL, UNKNOWN):
            since = first
        first, current = None, attempt.state
        yield since, i, attempt.state


def runs_of_life(attempts, began, check):
    after = [began] + [a.ended for a in attempts]  # the next attempt begins after this
    runs = []
    for first, i, state in observations(attempts, check.confirm):
        counts = i + 1 < len(attempts)
        before = runs[-1] if runs else None
        silent = before and attempts[i].ended + LATE_MS > before.points[-1].earliest + check.valid_for
        if not before or before.state != state or silent:
            joined = before if before and before.state == state else None
            runs.append(Run(state, after[first], attempts[first].begun, 0,
                            attempts[i].begun, counts and joined is None, joined))
        run = runs[-1]
        run.last = attempts[i].begun
        run.points += [Point(attempts[k].begun, after[k], attempts[i].begun, counts)
                       for k in range(first, i + 1)]
    return runs


class Account:
    """The log of all checks beside the export; `faults` says where they contradict each other."""

    def __init__(self, witness, interval_ms, excused=()):
        """`excused`: (from, to); what was decided in it may be missing, but nothing invented."""
        self._witness = witness
        self._interval = interval_ms
        self._excused = excused
        self.faults = []
        self.attempts = self.orphans = self.runs = self.spans = self.pieces = 0
        self.lost_under_way = self.in_gaps = self.gaps = self.duplicates = self.missing = 0
        self.invented = self.unknown_before_kill = self.excused = 0

    def compare(self, history, agents, exported):
        by_check = {}
        for line in history:
            by_check.setdefault(line["check"], []).append(
                (millis(line["from"]), millis(line["to"]), STATES.index(line["state"]),
                 line.get("gap", False), millis(line["recorded_at"])))
        known = {f"{h}/{c.name}" for h in self._witness.hosts for c in self._witness.checks}
        for name in by_check.keys() - known:
            self._fault(name, "in the export, and no such check")
        for host, agent in agents.items():
            for check in self._witness.checks:
                name = f"{host}/{check.name}"
                self._compare_check(name, check, sorted(by_check.get(name, [])),
                                    self._witness.lives(host, check, agent.lives), agent.lives,
                                    exported)
        return self

    def told(self):
        return (f"{self.attempts} answers, {self.runs} runs, {self.spans} facts in the export "
                f"({self.pieces} further pieces, {self.gaps} gaps); missing {self.missing}, "
                f"in gaps {self.in_gaps}, duplicates {self.duplicates}, invented {self.invented}; "
                f"allowed: {self.lost_under_way} runs and {self.orphans} answers under way at a "
                f"kill, {self.unknown_before_kill} answers unknown just before one")

    def _fault(self, name, what):
        self.faults.append(f"{name}: {what}")

    def _compare_check(self, name, check, spans, told, agent_lives, exported):
        lives, orphans = told
        self.orphans += orphans
        self.attempts += sum(len(life) for life in lives)
        self.spans += len(spans)
        runs = []
        for attempts, life in zip(lives, agent_lives):
            runs += runs_of_life(attempts, life[1], check)
        self.runs += len(runs)
        self._explain(name, check, spans, runs, exported)
        gaps = [span for span in spans if span[3]]
        self.gaps += len(gaps)
        for run in reversed(runs):
            if run.goes_on and not run.spans:  # it did not fall silent: the one before went on
                run.goes_on.last = run.last
        for run in runs:
            self._compare_run(name, check, run, gaps)
        ends = [life[2] for life in agent_lives if life[2]]
        for run in runs:
            self._compare_points(name, check, run, spans, ends)

    def _explain(self, name, check, spans, runs, exported):
        """Gives every span to the run that explains it."""
        for span in spans:
            start, end, state, gap, recorded = span
            if start > exported or recorded > exported or recorded < start or end <= start:
                self._fault(name, f"from the future, or recorded before it began: {span}")
            if gap:
                continue
            heads = [r for r in runs if r.state == state and r.after <= start <= r.begun]
            whole = [r for r in runs if r.state == state and any(s[1] == start for s in r.spans)]
            # A whole run, or the first piece of one, is never shorter than its valid_for.
            if heads and end - start >= check.valid_for:
                heads[0].spans.append(span)
                heads[0].heads += 1
            elif whole:
                whole[-1].spans.append(span)
                self.pieces += 1
            else:
                self.invented += 1
                self._fault(name, f"no answer explains {span}")

    def _compare_run(self, name, check, run, gaps):
        if run.heads > 1:
            self.duplicates += run.heads - 1
            self._fault(name, f"the run since {run.begun} stands {run.heads} times: {run.spans}")
        if run.heads:
            self._compare_end(name, check, run)
        elif run.goes_on:
            pass  # compared as part of that one
        elif not run.counts:
            self.lost_under_way += 1
        elif any(gap[0] <= run.begun < gap[1] for gap in gaps):
            self.in_gaps += 1
        elif any(start <= run.decided <= end for start, end in self._excused):
            self.excused += 1
        else:
            self.missing += 1
            self._fault(name, f"{STATES[run.state]} since {run.begun} is missing")

    def _compare_end(self, name, check, run):
        latest = run.last + check.valid_for
        for span in run.spans:
            if span[1] > latest:
                self.invented += 1
                self._fault(name, f"{span} lasts {span[1] - latest} ms longer than was seen")

    def _compare_points(self, name, check, run, spans, ends):
        for point in run.points:
            if not point.counts:
                continue
            at = point.at
            # The next attempt may have begun in the same millisecond.
            said = {state_at(spans, at), state_at(spans, at - 1)}
            if run.state in said:
                continue
            if any(start <= point.decided <= end for start, end in self._excused):
                continue
            near_end = any(at <= end <= at + self._interval + LATE_MS for end in ends)
            gap = any(s[3] and s[0] <= at < s[1] for s in spans)
            if said == {UNKNOWN} and (near_end or gap or at >= point.earliest + check.valid_for):
                self.unknown_before_kill += 1
                continue
            words = " / ".join(sorted(STATES[s] for s in said))
            self._fault(name, f"answered {STATES[run.state]} at {at}, the export says {words}")


def state_at(spans, at):
    """What holds at an instant, of spans in the order of their beginning (section 2)."""
    best = None
    for start, end, state, _, _ in spans:
        if start > at:
            break
        rank = (start, BADNESS[state], end)
        if best is None or rank > best[0]:
            best = (rank, end, state)
    return best[2] if best and at < best[1] else UNKNOWN



def conclude(witness, fleet, excused=(), seconds=90):
    """Ends a test: no more changes, everything delivered, all stopped, and the export is right.

    Gives the account, and how long the delivery took.
    """
    witness.quiet()
    # So long after the last change every agent has said what is left in its spool.
    began = now_ms()
    since = began + 3 * fleet.interval_ms
    wait_for("everything to be delivered", lambda: delivered(witness, fleet, since), seconds,
             fleet.check_alive)
    took = (now_ms() - began) / 1000
    for agent in fleet.agents.values():
        agent.stop()
    history = fleet.history()
    exported = now_ms()
    fleet.collector.stop()

    def compare(lines):
        return Account(witness, fleet.interval_ms, excused).compare(lines, fleet.agents, exported)

    account = compare(history)
    print(account.told(), flush=True)
    if account.gaps:
        account.faults.append(f"{account.gaps} gaps are declared, and nothing had to be lost")
    if account.faults:
        shown = "\n".join(account.faults[:SHOWN])
        raise Failure(f"{len(account.faults)} contradictions with the plugin's log:\n{shown}")
    prove(compare, history)
    return account, took


def delivered(witness, fleet, since):
    agents, checks = fleet.status()
    return (len(agents) == len(witness.hosts)
            and len(checks) == len(witness.hosts) * len(witness.checks)
            and all(a["connected"] and a["spool_facts"] == 0 for a in agents.values())
            and all(c["state"] == "ok" and c["last_observed"] and millis(c["last_observed"]) > since
                    for c in checks.values()))


def prove(compare, history):
    """That the comparison can fail: each falsification of a history that it accepts is objected to.

    compare(history) gives the account. Falsified is the second span of a check, which its first
    life, begun in peace, is sure to have seen the end of.
    """
    first = history[0]["check"]
    mine = sorted((line for line in history if line["check"] == first), key=lambda s: s["from"])
    before, span = mine[0], mine[1]
    others = [line for line in history if line is not span]
    rest = [line for line in others if line is not before]
    later = f"{int(span['from'][:4]) + 1}{span['from'][4:]}"
    false = {
        "a span that is missing": others,
        "a span that stands twice": others + [span, span],
        "a span that began earlier": others + [dict(span, **{"from": before["from"]})],
        "a span of another state": others + [
            dict(span, state=next(s for s in STATES if s not in (span["state"], before["state"])))],
        "a span that lasts too long": others + [dict(span, to=later)],
        "a span that was recorded in the future": others + [dict(span, recorded_at=later)],
        "an ok that hides what came next": rest + [dict(before, state="ok", to=span["to"])],
        "a gap that nobody knows of, of another check": history + [dict(span, check="no/such")],
    }
    for what, lines in false.items():
        if not compare(lines).faults:
            raise Failure(f"the comparison does not see {what}: {before}, {span}")
