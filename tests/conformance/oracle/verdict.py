"""May this end send to that one? Both languages together, from the documentation alone."""
import datetime

from .kube import Kube
from .native import Native
from .net import Questions, address
from .site import Site, is_loopback


def memo(method):
    """Remember the answers of a method for the life of its object."""
    name = "_memo_" + method.__name__

    def ask(self, *args):
        known = self.__dict__.setdefault(name, {})
        if args not in known:
            known[args] = method(self, *args)
        return known[args]
    return ask


class Oracle:
    def __init__(self, documents, inventory, host_file, ports, now=None):
        now = now or datetime.datetime.now(datetime.timezone.utc)
        self.site = Site(inventory, host_file)
        self.questions = Questions(ports)
        self.native = Native(documents, self.site, now)
        self.kube = Kube(documents, self.site)
        for e in self.site.endpoints:
            self.native.is_managed[e] = self.native.is_managed[e] or self.kube.selects(e)
        self.by_name = {}
        for e in self.site.endpoints:
            self.by_name.setdefault(e.name, e)
            self.by_name[e.id] = e

    # --- one end -------------------------------------------------------------------------------

    @memo
    def standing(self, space):
        """(isolated in, isolated out, services that speak or add, audit)"""
        members = self.site.members[space]
        services = list(self.native.services_of(space))
        speak = [s for s in services if s.mode != "off"]
        picked = any(self.kube.selects(e) for e in members)
        if not services and not picked:
            return self.site.quarantine, self.site.quarantine, [], False
        audit = bool(speak) and all(s.mode == "audit" for s in speak) and not picked
        isolated = [bool(speak) or any(self.kube.isolates(e, d) for e in members)
                    for d in ("in", "out")]
        return isolated[0], isolated[1], services, audit

    @memo
    def _rules(self, service, direction, a):
        return self.native.allows(service, direction, a, self.questions)

    def _follows(self, service, space, a):
        """The ingress of other services and of NetworkPolicies alike."""
        got = self.native.follows(service, space, a, self.questions)
        ours = self.native.of_ours(space, a)
        for e in self.site.owners.get(a, []) if a not in self.site.contested else []:
            got |= self.kube.lets_in(e, ours, self.questions)
        return got

    @memo
    def passes(self, space, direction, a):
        """The questions that the table of this namespace lets pass to, or from, this address."""
        isolated_in, isolated_out, services, audit = self.standing(space)
        isolated = isolated_in if direction == "in" else isolated_out
        got = self.questions.all
        if isolated and not audit:
            got = 0
            for s in services:
                got |= self._rules(s, direction, a)
                if direction == "out" and s.follows:
                    got |= self._follows(s, space, a)
                if direction == "out" and s.dns:
                    got |= self.native.resolves(space, a, self.questions)
            for e in self.site.members[space]:
                got |= self.kube.allows(e, direction, a, self.questions)
        return got & ~self.native.denies(space, direction, a, self.questions)

    # --- two ends ------------------------------------------------------------------------------

    def ends(self, text):
        """(address, namespace) pairs of a word of a question: a name, or an address."""
        e = self.by_name.get(text)
        if e:
            return [(a, e.space) for a in e.addresses]
        a = address(text)
        spaces = {e.space for e in self.site.owners.get(a, []) if e.space}
        return [(a, s) for s in spaces] or [(a, None)]

    def pair(self, source, destination):
        (s, s_space), (d, d_space) = source, destination
        if s[0] != d[0]:
            return 0
        got = self.questions.of_family[s[0]]
        if is_loopback(s) or is_loopback(d) or (s_space and s_space == d_space):
            return got
        if s_space:
            got &= self.passes(s_space, "out", d)
        if d_space:
            got &= self.passes(d_space, "in", s)
        return got

    def verdicts(self, source, destination):
        """The questions that pass between any addresses of the two."""
        got = 0
        for s in self.ends(source):
            for d in self.ends(destination):
                got |= self.pair(s, d)
        return got
