"""What passes between namespaces, beside what the oracle says."""
import argparse
import os
import subprocess
import time

from bulkhead import call
from cases import people, seeded
from cases.case import family_of
from oracle.verdict import Oracle

PROBE = os.environ.get("PROBE", "build/release/tests/system/probe")
PATIENCE = {True: ("--timeout", "4000"), False: ("--timeout", "150", "--tries", "1")}


class Wire:
    def __init__(self, net, folder):
        self.net, self.folder = net, folder
        self.names = people.PACKET_NAMES + ["switch", "world"]
        self.by_address = {}
        for i, name in enumerate(people.PACKET_NAMES, 1):
            self.by_address.update({"10.77.0.%d" % i: name, "fd00:77::%x" % i: name})
        self.by_address.update({"10.77.0.254": "switch", "fd00:77::fe": "switch"})
        self.by_address.update({a: "world" for a in people.PACKET_WORLD})

    def cells(self, case):
        """{(FROM, TO, PORT): passes} of every pair that has a container at an end."""
        oracle = Oracle(case.documents, case.inventory, case.host_file, case.ports)
        got = {}
        for s, d, ports in case.asked():
            ends = {self.by_address[s], self.by_address[d]}
            if len(ends) == 2 and ends != {"switch", "world"}:
                mask = oracle.verdicts(s, d)
                got.update({(s, d, case.ports[i]): bool(mask >> i & 1) for i in ports})
        return got

    def ask(self, cells):
        """The same of the wire: every namespace asks all it has to at once."""
        jobs = []
        for name in self.names:
            for wanted in (True, False):
                mine = [c for c, passes in cells.items()
                        if self.by_address[c[0]] == name and passes == wanted]
                if mine:
                    jobs.append((mine, self._start(name, mine, PATIENCE[wanted])))
        got = {}
        for mine, job in jobs:
            out, err = job.communicate(timeout=60)
            verdicts = out.split()
            if len(verdicts) != len(mine):
                raise RuntimeError("probe ask: %s" % err)
            got.update({c: v == "open" for c, v in zip(mine, verdicts)})
        return got

    def _start(self, name, cells, patience):
        lines = "".join("%s %s\n" % (d, "icmp" if family_of(p) else p) for _, d, p in cells)
        job = subprocess.Popen(
            ["ip", "netns", "exec", "%s-%s" % (self.net, name), PROBE, "ask", *patience],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        job.stdin.write(lines)      # fewer bytes than a pipe holds
        job.stdin.close()
        job.stdin = None
        return job

    def forget(self):
        for name in self.names:
            os.truncate(os.path.join(self.folder, name + ".log"), 0)

    def arrived(self):
        """(FROM's name, family, TO's name, PORT) of what came in, answered or not."""
        got = set()
        for name in self.names:
            with open(os.path.join(self.folder, name + ".log")) as f:
                for line in f:
                    words = line.split()
                    if len(words) == 3 and words[2] in self.by_address:
                        got.add((words[2], name, "%s/%s" % (words[1], words[0])))
        return got

    def judge(self, cells):
        """What is wrong with these cells: (cell, words)."""
        self.forget()
        seen = self.ask(cells)
        came = self.arrived()
        wrong = []
        for c, passes in cells.items():
            if seen[c] != passes:
                wrong.append((c, "%s %s %s: the documentation says %s, the wire %s" % (
                    *c, "allow" if passes else "deny", "open" if seen[c] else "closed")))
            elif not passes and (c[0], self.by_address[c[1]], c[2]) in came:
                wrong.append((c, "%s %s %s: denied, and it came in" % c))
        return wrong

    def step(self, case, where):
        """Apply one case over the one before. (number of cells, what is wrong)"""
        case.write(where)
        done = call(where, "apply")
        if done.returncode != 0:
            return 0, ["apply: %s" % done.stderr.strip()[-600:]]
        cells = self.cells(case)
        wrong = self.judge(cells)
        if wrong:       # again: a server that had no processor tells late who came in a case before
            wrong = self.judge({c: cells[c] for c, _ in wrong})
        return len(cells), [words for _, words in wrong]


def main(doc):
    p = argparse.ArgumentParser(usage=doc.partition("usage: ")[2])
    p.add_argument("net")
    p.add_argument("dir")
    p.add_argument("--cases", type=int, default=100)
    p.add_argument("--first", type=int, default=1)
    p.add_argument("--kind", action="append")
    p.add_argument("--seed")
    options = p.parse_args()
    wire = Wire(options.net, options.dir)
    where = os.path.join(options.dir, "case")
    os.makedirs(where, exist_ok=True)
    kinds = options.kind or seeded.KINDS
    numbers = [(kinds[i % len(kinds)], options.first + i // len(kinds)) for i in range(options.cases)]
    if options.seed:
        kind, _, seed = options.seed.partition(":")
        numbers = [(kind, int(seed))]
    return steps(wire, where, numbers)


def steps(wire, where, numbers):
    total = failed = done = 0
    begun = time.monotonic()
    for kind, seed in numbers:
        case = seeded.packets(kind, seed, wire.net)
        n, wrong = wire.step(case, where)
        total, done = total + n, done + 1
        if wrong:
            failed += 1
            print("case %s: %d wrong" % (case.name, len(wrong)))
            print("\n".join(wrong[:8]))
        if failed == 10:
            break
    print("%d cases, %d cells, %d cases wrong, %.1f s" % (
        done, total, failed, time.monotonic() - begun))
    return 1 if failed or not total else 0
