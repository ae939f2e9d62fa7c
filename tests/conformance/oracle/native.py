"""What native documents say: services, groups, scopes, guardrails (docs/policy-format.md).

Nothing here knows how Bulkhead compiles: a peer is a question to one address, a rule a set of ports.
"""
import datetime
import re

from .net import inside, port, prefix


def glob(pattern):
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c, re.escape(c)) for c in pattern), re.DOTALL)


def is_over(expires, now):
    if expires is None:
        return False
    if isinstance(expires, str):
        expires = datetime.datetime.fromisoformat(expires.replace("Z", "+00:00"))
    if expires.tzinfo is None:
        expires = expires.replace(tzinfo=datetime.timezone.utc)
    return expires <= now


def has_labels(e, wanted):
    return all(e.labels.get(k) == v for k, v in wanted.items())


def familiar(name):
    """Docker leaves out what Podman writes of Docker Hub's names."""
    for prefix in ("docker.io/library/", "docker.io/"):
        if name.startswith(prefix):
            return name[len(prefix):]
    return name


def is_image(e, wanted):
    """A reference is text; a digest is what the engine says is run, never what a reference says."""
    name, at, digest = wanted.partition("@")
    if not at:
        return e.image is not None and glob(wanted).fullmatch(e.image) is not None
    name = glob(familiar(name))
    for known in e.image_digests:
        whose, _, what = known.partition("@")
        if digest in ("sha256:*", what) and name.fullmatch(familiar(whose)):
            return True
    if e.image is None or e.image_id is None or digest != e.image_id:
        return False
    path, slash, last = e.image.partition("@")[0].rpartition("/")
    return name.fullmatch(familiar(path + slash + last.partition(":")[0])) is not None


SELECT = {
    "labels": has_labels,
    "compose": lambda e, v: e.compose == v,
    "name": lambda e, v: glob(v).fullmatch(e.name) is not None,
    "image": is_image,
    "runtime": lambda e, v: e.runtime == v,
}


class Peer:
    def __init__(self, says):
        self.says = dict(says)
        self.cidr = prefix(says["cidr"]) if "cidr" in says else None
        self.excepted = [prefix(p) for p in says.get("except", [])]
        self.ports = ports_of(says)     # of an exception of a guardrail


class Rule:
    """An entry of ingress, egress or deny."""

    def __init__(self, says, now):
        self.peers = [Peer(p) for p in says.get("from", says.get("to"))]
        self.direction = "in" if "from" in says else "out"
        self.ports = ports_of(says)
        self.unless = [Peer(p) for p in says.get("unless", [])]
        self.over = is_over(says.get("expires"), now)


def ports_of(says):
    return tuple(port(p) for p in says["ports"]) if "ports" in says else None


class Service:
    def __init__(self, says, now):
        self.name = says["service"]
        self.scope = says.get("scope")
        self.select = says["select"]
        self.mode = says.get("mode", "enforce")
        self.follows = says.get("egress") == "follow"
        self.dns = says.get("dns", "deny") == "allow"
        egress = [] if self.follows else says.get("egress") or []
        self.rules = {"in": [Rule(r, now) for r in says.get("ingress") or []],
                      "out": [Rule(r, now) for r in egress]}


class Guardrail:
    def __init__(self, says, now):
        self.name = says["guardrail"]
        self.select = says["select"]
        self.entries = [Rule(r, now) for r in says["deny"]]


class Native:
    """All native documents over one site."""

    def __init__(self, documents, site, now):
        self.site = site
        self.services = [Service(d, now) for d in documents if "service" in d]
        self.guardrails = [Guardrail(d, now) for d in documents if "guardrail" in d]
        self.groups = {d["group"]: [prefix(p) for p in d["cidrs"]] for d in documents if "group" in d}
        self.of = {e: [s for s in self.services
                       if all(SELECT[k](e, v) for k, v in s.select.items())]
                   for e in site.endpoints}
        self.is_managed = {e: bool(self.of[e]) for e in site.endpoints}     # Kubernetes may add

    # --- peers ---------------------------------------------------------------------------------

    def peer_has(self, peer, a, sense="allow"):
        """Is this address meant? sense: allow, deny or unless (they differ where two claim it)."""
        if a in self.site.contested and sense != "deny":
            return False
        return all(self.KEYS[k](self, v, a, peer) for k, v in peer.says.items() if k in self.KEYS)

    def _service(self, name, a, _):
        return any(s.name == name for e in self.site.owners.get(a, []) for s in self.of[e])

    def _labels(self, wanted, a, _):
        return any(self._managed(e) and has_labels(e, wanted) for e in self.site.owners.get(a, []))

    def _managed(self, e):
        return self.is_managed[e] and not e.on_host

    def _entity(self, which, a, _):
        if which == "host":
            return a in self.site.host
        managed = any(self._managed(e) for e in self.site.owners.get(a, []))
        if which == "managed":
            return managed
        return not managed and not self.site.apart(a)

    def _group(self, name, a, _):
        return any(inside(a, p) for p in self.groups[name])

    def _cidr(self, _, a, peer):
        return inside(a, peer.cidr) and not any(inside(a, p) for p in peer.excepted)

    def _scope(self, name, a, _):
        return any(s.scope == name for e in self.site.owners.get(a, []) for s in self.of[e])

    def _not_scope(self, name, a, _):
        """An address that two claim is outside of every scope, whoever they are."""
        return a in self.site.contested or not self._scope(name, a, _)

    KEYS = {"service": _service, "labels": _labels, "entity": _entity, "group": _group,
            "cidr": _cidr, "scope": _scope, "not-scope": _not_scope}

    # --- rules ---------------------------------------------------------------------------------

    def services_of(self, space):
        return {s.name: s for e in self.site.members[space] for s in self.of[e]}.values()

    def allows(self, service, direction, a, questions):
        """The questions that the rules of this service answer with yes, for this other end."""
        got = 0
        for r in service.rules[direction]:
            if not r.over and any(self.peer_has(p, a) for p in r.peers):
                got |= questions.among(r.ports)
        return got

    def resolves(self, space, a, questions):
        """dns: allow: the resolvers of the container, 53/udp and 53/tcp."""
        for e in self.site.members[space]:
            if a in e.resolvers and a not in self.site.contested:
                return questions.among((port("53/udp"), port("53/tcp")))
        return 0

    def of_ours(self, space, a):
        """The addresses of this namespace that are of the family of that address."""
        return [o for e in self.site.members[space] for o in e.addresses if o[0] == a[0]]

    def follows(self, service, space, a, questions):
        """egress: follow: wherever the ingress of another service lets one of our addresses in."""
        ours = self.of_ours(space, a)
        got = 0
        for other in self.services:
            if other is service or a in self.site.contested or not self._service(other.name, a, None):
                continue
            for r in other.rules["in"]:
                if not r.over and any(self.peer_has(p, o) for p in r.peers for o in ours):
                    got |= questions.among(r.ports)
        return got

    # --- guardrails ----------------------------------------------------------------------------

    def guarded(self, guardrail, space):
        return any(self._guards(guardrail.select, e) for e in self.site.members[space])

    def _guards(self, select, e):
        return all({"all": lambda: True,
                    "labels": lambda: has_labels(e, select["labels"]),
                    "scope": lambda: any(s.scope == select["scope"] for s in self.of[e]),
                    "services": lambda: any(s.name in select["services"] for s in self.of[e]),
                    }[key]() for key in select)

    def denies(self, space, direction, a, questions):
        got = 0
        for g in self.guardrails:
            if not self.guarded(g, space):
                continue
            for r in g.entries:
                if r.direction == direction and any(self.peer_has(p, a, "deny") for p in r.peers):
                    got |= questions.among(r.ports) & ~self._excepted(r, a, questions)
        return got

    def _excepted(self, entry, a, questions):
        got = 0
        for p in entry.unless:
            if self.peer_has(p, a, "unless"):
                got |= questions.among(p.ports)
        return got
