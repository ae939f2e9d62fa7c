"""What the oracle says of a case beside what Bulkhead says."""
from bulkhead import Refused, explain
from oracle.verdict import Oracle


class Difference:
    def __init__(self, case, text):
        self.case = case
        self.text = text


def expected(case):
    oracle = Oracle(case.documents, case.inventory, case.host_file, case.ports)
    texts, got = {}, []
    for source, destination, ports in case.asked():
        key = oracle.verdicts(source, destination), tuple(ports)
        if key not in texts:
            texts[key] = "".join("allow\n" if key[0] >> i & 1 else "deny\n" for i in ports)
        got.append(texts[key])
    return "".join(got)


def first_differences(case, ours, theirs, most=5):
    lines = zip(case.questions().splitlines(), ours.splitlines(), theirs.splitlines())
    wrong = ["%s: the documentation says %s, explain says %s" % line
             for line in lines if line[1] != line[2]]
    return "\n".join(wrong[:most] + (["... %d in all" % len(wrong)] if len(wrong) > most else []))


def as_written(case, answers):
    passes = {q for q, a in zip(case.questions().splitlines(), answers.splitlines()) if a == "allow"}
    return passes == set(case.allowed)


def compare(case, folder, block=False):
    """(number of questions, Difference or None)"""
    ours = expected(case)
    asked = ours.count("\n")
    try:
        theirs = explain(case, folder, block)
    except Refused as why:
        return asked, Difference(case, "refused: %s" % why)
    if case.allowed is not None and not as_written(case, ours):
        return asked, Difference(case, "the oracle does not say what is written beside the case")
    if ours == theirs:
        return asked, None
    if asked != theirs.count("\n"):
        return asked, Difference(case, "%d answers to %d questions" % (theirs.count("\n"), asked))
    return asked, Difference(case, first_differences(case, ours, theirs))
