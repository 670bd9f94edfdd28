"""Each alert has a severity, a firing and a silent case, and a whole section of the runbook.

Reads the YAML by the shape these files have (an alert's fields one a line), so that the test needs
nothing but the standard library.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = "deploy/RUNBOOK.md"
PARTS = ["Hva det betyr for brukerne", "Se først på", "Vanlig årsak", "Slik avslutter du det"]
# It fires always, which is its use, and wakes nobody.
WAKES_NOBODY = {"OppetidWatchdog"}


def alerts():
    """(name, the lines of its rule) of each alert."""
    for path in sorted((ROOT / "dashboards/rules").glob("*.yaml")):
        for rule in re.split(r"^ *- alert: ", path.read_text("utf-8"), flags=re.M)[1:]:
            name, body = rule.split("\n", 1)
            yield name.strip(), body


def cases():
    """(alert, whether it is expected to be silent) of each case."""
    for path in sorted((ROOT / "dashboards/tests").glob("*.yaml")):
        for case in re.split(r"^ *- (?=\{?eval_time)", path.read_text("utf-8"), flags=re.M)[1:]:
            name = re.search(r"alertname: *(\w+)", case)
            if name:
                yield name[1], re.search(r"exp_alerts: *\[ *\]", case) is not None


def sections():
    text = (ROOT / RUNBOOK).read_text("utf-8")
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        title, body = section.split("\n", 1)
        yield title.strip(), body


def main():
    faults = []
    rules = list(alerts())
    names = [name for name, _ in rules]
    tested = set(cases())
    runbook = dict(sections())
    if not rules or not tested:
        faults.append("found no alerts or no cases: this test no longer knows the files' shape")
    for name, body in rules:
        allowed = "none" if name in WAKES_NOBODY else "page|ticket"
        if not re.search(rf"^ *severity: ({allowed})$", body, flags=re.M):
            faults.append(f"{name}: severity must be {allowed}")
        for annotation in ("summary", "description"):
            if not re.search(rf"^ *{annotation}: *\S", body, flags=re.M):
                faults.append(f"{name}: no {annotation}")
        if f"runbook_url: {RUNBOOK}#{name.lower()}\n" not in body:
            faults.append(f"{name}: runbook_url must be {RUNBOOK}#{name.lower()}")
        if (name, False) not in tested:
            faults.append(f"{name}: no case in which it fires")
        if (name, True) not in tested:
            faults.append(f"{name}: no case in which it is silent")
        for part in PARTS:
            if f"**{part}:**" not in runbook.get(name, ""):
                faults.append(f"{name}: {RUNBOOK} has no section with «{part}»")
    for name in sorted({n for n in names if names.count(n) > 1}):
        faults.append(f"{name}: two rules of this name")
    for title in runbook:
        if title not in names:
            faults.append(f"{RUNBOOK}: «{title}» is not an alert")
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
