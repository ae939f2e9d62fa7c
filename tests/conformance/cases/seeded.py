"""From a seed to a case."""
from . import kube, native, people
from .case import Case
from .chance import Chance

KINDS = ("native", "kube", "mixed")
ASKED = {"native": native.ASKED, "kube": kube.ASKED, "mixed": native.ASKED + ["80/udp"]}


def host_file(c, namespaces):
    got = {"unmanaged": "quarantine" if c.percent(15) else "ignore"}
    if c.percent(25):
        got["image-labels"] = "select"
    if namespaces:
        got["namespaces"] = namespaces
    return got


def spread(c, kind, inventory):
    """Labels of namespaces stand in the inventory, in the host file, or in both; returns the latter."""
    if kind == "native":
        return {}
    if c.percent(60):
        inventory["namespaces"] = people.namespaces(c)
    return people.namespaces(c) if c.percent(60) else {}


def documents_of(c, kind, inventory, extra, contested, scale=1):
    writer = native.Writer(c, inventory, extra, contested, scale)
    got = writer.documents() if kind != "kube" else []
    if kind != "native":
        got += kube.Writer(c, writer, scale).documents()
    return c.some(got, len(got), len(got))      # in any order


def make(kind, seed):
    """kind: see KINDS; the same seed gives another case for each."""
    c = Chance(seed * 8 + sum(map(ord, kind)))
    big = c.percent(10)
    inventory, contested = people.inventory(c, 24 if big else 9)
    extra = c.some(people.WORLD, 2, 3) + c.some(people.ODD, 1, 2)
    documents = documents_of(c, kind, inventory, extra, contested, 3 if big else 1)
    hosts = [a.partition("/")[0] for a in people.HOST]
    places = people.places(inventory, hosts + extra)
    ports = c.some(ASKED[kind], 8, 12)
    namespaces = spread(c, kind, inventory)
    return Case("%s %d" % (kind, seed), documents, inventory, host_file(c, namespaces), ports, places,
                places)


def packets(kind, seed, prefix):
    """A case that real packets can ask: six namespaces, the host (their switch), an outsider."""
    c = Chance(seed * 8 + 3 + sum(map(ord, kind)))
    inventory = people.packet_inventory(c, prefix)
    documents = documents_of(c, kind, inventory, people.PACKET_WORLD, False)
    ends = [a for e in inventory["endpoints"][:len(people.PACKET_NAMES)] for a in e["addresses"]]
    ends += [a.partition("/")[0] for a in people.HOST] + people.PACKET_WORLD
    namespaces = spread(c, kind, inventory)
    return Case("packets-%s %d" % (kind, seed), documents, inventory, host_file(c, namespaces),
                native.PACKETS, ends, ends)
