#!/usr/bin/env python3
"""Writes a quarter's catalogue, history and tickets of a large room into a directory.

50 services for 7 municipalities, 250,000 spans, 2,000 corrections and windows, 5,000 tickets
(arguments change the numbers); the same from the same seed. Then, timed:

  tests/bench/sla_inputs.py DIR && /usr/bin/time -v oppetid report --catalogue DIR/catalogue.yaml \
      --history DIR/history.jsonl --tickets DIR/tickets.jsonl --period 2026-Q3 --output DIR/out.json
"""
import argparse
import datetime
import json
import os
import random

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("directory")
arguments.add_argument("--services", type=int, default=50)
arguments.add_argument("--municipalities", type=int, default=7)
arguments.add_argument("--spans", type=int, default=250_000)
arguments.add_argument("--decisions", type=int, default=2_000)
arguments.add_argument("--tickets", type=int, default=5_000)
arguments.add_argument("--seed", type=int, default=1)
args = arguments.parse_args()
rng = random.Random(args.seed)
START = 1_782_000_000_000  # 2026-06-21, before the quarter
DAY = 86_400_000
LENGTH = 105 * DAY


def at(ms):
    day = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return day.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


os.makedirs(args.directory, exist_ok=True)
places = [f"kommune{i}" for i in range(args.municipalities)]
services = [f"tjeneste{i}" for i in range(args.services)]
# Of a service's four checks one is each municipality's own line; every fifth service depends on
# the first.
checks = [f"vert{i}/c{n}" for i in range(args.services) for n in range(3)]
checks += [f"rom{i}/gw-{place}" for i in range(args.services) for place in places]

with open(f"{args.directory}/catalogue.yaml", "w", encoding="utf-8") as out:
    out.write("municipalities:\n")
    for place in places:
        out.write(f"  - {{id: {place}, name: {place}}}\n")
    out.write('calendars:\n  office: {hours: {mon-fri: "08:00-15:30"}, holidays: norway}\n')
    out.write("services:\n")
    for i, service in enumerate(services):
        out.write(f"  - id: {service}\n    municipalities: [{', '.join(places)}]\n")
        out.write(f"    hours: {'always' if i % 3 else 'office'}\n    target: 99.9 %\n")
        out.write(f"    up_when: {{all: [{{any: [vert{i}/c0, vert{i}/c1]}}, vert{i}/c2, ")
        out.write(f'"rom{i}/gw-{{municipality}}"]}}\n')
        if i and i % 5 == 0:
            out.write("    depends_on: [tjeneste0]\n")
    out.write("tickets:\n  calendar: office\n  targets:\n")
    out.write("    - {kind: incident, priority: P3, respond_within: 4h, resolve_within: 16h, "
              "attain: 90 %}\n")

with open(f"{args.directory}/history.jsonl", "w", encoding="utf-8") as out:
    each = args.spans // len(checks)
    for i, check in enumerate(checks):
        count = each + (1 if i < args.spans - each * len(checks) else 0)
        cuts = sorted(rng.sample(range(LENGTH), count + 1))
        for begin, end in zip(cuts, cuts[1:]):
            state = rng.choices(["ok", "warning", "critical", "unknown"], [90, 5, 3, 2])[0]
            out.write(json.dumps({"type": "span", "check": check, "from": at(START + begin),
                                  "to": at(START + end), "state": state,
                                  "recorded_at": at(START + begin + 1000)},
                                 separators=(",", ":")) + "\n")
    for i in range(args.decisions):
        begin = START + rng.randrange(LENGTH)
        fact = {"id": f"d-{i}", "services": rng.sample(services, 3) if i % 4 else ["*"],
                "municipalities": [rng.choice(places)] if i % 3 else ["*"], "from": at(begin),
                "to": at(begin + rng.randrange(4 * 3_600_000)), "reason": "Arbeid i rommet"}
        if i % 2:
            fact |= {"type": "maintenance", "announced_at": at(begin - rng.randrange(7 * DAY))}
        else:
            fact |= {"type": "correction", "as": rng.choice(["up", "down", "excluded"]),
                     "by": "drift1", "recorded_at": at(begin + rng.randrange(DAY))}
        out.write(json.dumps(fact, separators=(",", ":")) + "\n")

with open(f"{args.directory}/tickets.jsonl", "w", encoding="utf-8") as out:
    for i in range(args.tickets):
        when = START + rng.randrange(LENGTH)
        events = [{"at": at(when), "status": "new"}]
        for status in ("open", "waiting_customer", "open", "resolved"):
            when += rng.randrange(2 * DAY)
            events.append({"at": at(when), "status": status})
        out.write(json.dumps({"type": "ticket", "id": f"RT-{i}", "municipality": rng.choice(places),
                              "kind": "incident", "priority": f"P{rng.randrange(1, 5)}",
                              "events": events}, separators=(",", ":")) + "\n")
