"""One case: documents, an inventory, a host file, and what is asked of them."""
import ipaddress
import json
import os

import yaml

FAMILY = {"icmp": 4, "icmpv6": 6}


def family_of(port):
    return FAMILY.get(port.partition("/")[0])


class Case:
    def __init__(self, name, documents, inventory, host_file, ports, sources, destinations):
        self.name = name
        self.documents = documents
        self.inventory = inventory
        self.host_file = host_file
        self.ports = ports
        self.sources = sources
        self.destinations = destinations
        self.focus = None           # at least one end is one of these
        self.allowed = None         # 'FROM TO PORT' of all that passes, where somebody wrote it down

    def _families(self):
        """Of each place that may be asked about: the address families it has."""
        got = {}
        for e in self.inventory["endpoints"]:
            got[e["id"]] = got[e.get("name", e["id"])] = {
                ipaddress.ip_address(a).version for a in e.get("addresses", [])}
        for place in {*self.sources, *self.destinations} - got.keys():
            got[place] = {ipaddress.ip_address(place).version}
        return got

    def asked(self):
        """(FROM, TO, which of the ports) of every pair that has a family, and the ports of it."""
        families = self._families()
        by_family = {}
        for s in self.sources:
            for d in self.destinations:
                if self.focus and s not in self.focus and d not in self.focus:
                    continue
                common = frozenset(families[s] & families[d])
                if common and common not in by_family:
                    by_family[common] = [i for i, p in enumerate(self.ports)
                                         if family_of(p) in (None, *common)]
                if common:
                    yield s, d, by_family[common]

    def questions(self):
        """One 'FROM TO PORT' a line."""
        return "".join("%s %s %s\n" % (s, d, self.ports[i]) for s, d, ask in self.asked() for i in ask)

    def write(self, folder, block=False):
        """The files that Bulkhead reads. block: as people write YAML; else as programs do."""
        policies = os.path.join(folder, "policies")
        os.makedirs(policies, exist_ok=True)
        for old in os.listdir(policies):
            os.unlink(os.path.join(policies, old))
        with open(os.path.join(policies, "all.yaml"), "w") as f:
            for d in self.documents:
                f.write("---\n")
                f.write(yaml.safe_dump(d, sort_keys=False) if block else json.dumps(d) + "\n")
            if not self.documents:
                f.write("{}\n")
        with open(os.path.join(folder, "inventory.json"), "w") as f:
            json.dump(self.inventory, f)
        with open(os.path.join(folder, "bulkhead.yaml"), "w") as f:
            f.write(json.dumps(self.host_file) + "\n")
