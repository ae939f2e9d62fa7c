"""The program under test: what it says of a case."""
import os
import subprocess

PROGRAM = os.environ.get("BULKHEAD", "build/release/bulkhead")


class Refused(Exception):
    """It did not take a case that is valid."""


def call(folder, verb, *options, stdin=""):
    return subprocess.run(
        [PROGRAM, verb, "--policies", os.path.join(folder, "policies"),
         "--inventory", os.path.join(folder, "inventory.json"),
         "--config", os.path.join(folder, "bulkhead.yaml"), *options],
        input=stdin, capture_output=True, text=True, timeout=120)


def explain(case, folder, block=False):
    """`allow` or `deny`, a line for each question of the case."""
    case.write(folder, block)
    with open(os.path.join(folder, "questions"), "w") as f:
        f.write(case.questions())
    done = call(folder, "explain", "--batch", os.path.join(folder, "questions"))
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if " warning: " not in line]
        raise Refused("exit code %d: %s" % (done.returncode, "\n".join(errors[:8])))
    return done.stdout
