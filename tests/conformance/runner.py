"""The parts of a run, in TAP."""
import argparse
import os
import resource
import shutil
import sys
import tempfile
import time

import kept
from cases import seeded, systematic, systematic_kube
from compare import compare
from shrink import shrink

HERE = os.path.dirname(os.path.abspath(__file__))


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def result(self, good, name, comment=""):
        self.count += 1
        self.failed += not good
        print("%sok %d %s" % ("" if good else "not ", self.count, name))
        for line in comment.splitlines():
            print("# " + line)
        sys.stdout.flush()

    def end(self):
        print("1..%d" % self.count)
        return 1 if self.failed else 0


class Run:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.asked = self.cases = 0
        self.differences = []

    def one(self, case, block=False):
        asked, difference = compare(case, self.folder, block)
        self.asked += asked
        self.cases += 1
        if difference:
            self.differences.append(difference)
        return difference

    def report(self, tap, name):
        """What the cases since the last report came to, as one test."""
        lines = []
        for d in self.differences[:6]:
            lines += ["case %s" % d.case.name, d.text]
        if len(self.differences) > 6:
            lines.append("... %d cases in all: %s" % (len(self.differences), " ".join(
                d.case.name.replace(" ", ":") for d in self.differences)))
        tap.result(not self.differences, "%s (%d cases)" % (name, self.cases), "\n".join(lines))
        if self.differences and self.options.keep:
            self.leave(self.differences[0].case)
        self.differences, self.cases = [], 0

    def leave(self, case):
        small = shrink(case, self.folder)
        target = os.path.join(self.options.keep, case.name.replace(" ", "-"))
        asked, difference = compare(small, self.folder)
        os.makedirs(target, exist_ok=True)
        small.write(target, block=True)
        with open(os.path.join(target, "difference"), "w") as f:
            f.write("%s\n%s\n" % (small.name, difference.text if difference else "?"))


def seeds(path):
    with open(path) as f:
        for line in f:
            line = line.partition("#")[0].strip()
            if line:
                kind, seed = line.split(":")
                yield kind, int(seed)


def replay(run, tap):
    for kind, seed in seeds(os.path.join(HERE, "seeds")):
        run.one(seeded.make(kind, seed))
    run.report(tap, "seeds that once disagreed")
    for case in kept.cases(os.path.join(HERE, "kept")):
        run.one(case)
    run.report(tap, "written cases: explain, the oracle, and what is written beside them")


def one_by_one(run, tap):
    for part, name in ((systematic, "native"), (systematic_kube, "kube")):
        for case in part.cases():
            run.one(case)
        run.report(tap, "systematic cases, %s" % name)


def numbered(run, tap, kind):
    first = run.options.first
    for seed in range(first, first + run.options.cases):
        run.one(seeded.make(kind, seed), block=seed % 8 == 0)
    run.report(tap, "random cases, %s, from seed %d on" % (kind, first))


def until(run, tap, kinds):
    end = time.monotonic() + run.options.minutes * 60
    seed, total = run.options.first, 0
    while time.monotonic() < end and len(run.differences) < 20:
        for kind in kinds:
            run.one(seeded.make(kind, seed), block=seed % 8 == 0)
        seed += 1
    run.report(tap, "random cases, %s, seeds %d to %d" % (", ".join(kinds), run.options.first, seed - 1))


def main(doc):
    p = argparse.ArgumentParser(usage=doc.partition("usage: ")[2])
    p.add_argument("--cases", type=int, default=50)
    p.add_argument("--first", type=int, default=1)
    p.add_argument("--minutes", type=float)
    p.add_argument("--kind", choices=seeded.KINDS)
    p.add_argument("--seed")
    p.add_argument("--keep")
    p.add_argument("--probes", type=int, default=0)
    options = p.parse_args()
    kinds = [options.kind] if options.kind else seeded.KINDS
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="conformance-")
    try:
        parts(Run(options, folder), tap, kinds)
    finally:
        shutil.rmtree(folder)
    return tap.end()


def cpu_seconds():
    """Ours and Bulkhead's."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def parts(run, tap, kinds):
    options = run.options
    if options.seed:
        kind, seed = options.seed.split(":")
        run.one(seeded.make(kind, int(seed)))
        run.report(tap, "seed %s" % options.seed)
        return
    if options.minutes:
        until(run, tap, kinds)
    else:
        replay(run, tap)
        one_by_one(run, tap)
        for kind in kinds:
            numbered(run, tap, kind)
    if options.probes:
        tap.result(run.asked >= options.probes, "at least %d questions were asked" % options.probes,
                   "%d were" % run.asked)
    print("# %d questions, %.1f CPU minutes" % (run.asked, cpu_seconds() / 60))
