"""Kubernetes NetworkPolicy (networking.k8s.io/v1), from the Kubernetes documentation.

Pods are endpoints; those in the host's network namespace are none (hostNetwork pods have the node's
address and cannot be told from it).
"""
from .net import inside, prefix

NAME_OF_NAMESPACE = "kubernetes.io/metadata.name"
OPERATORS = {
    "In": lambda labels, key, values: key in labels and labels[key] in values,
    "NotIn": lambda labels, key, values: key not in labels or labels[key] not in values,
    "Exists": lambda labels, key, values: key in labels,
    "DoesNotExist": lambda labels, key, values: key not in labels,
}


def selector_matches(selector, labels):
    """An empty selector matches everything; all that is in it must hold."""
    return all(labels.get(k) == v for k, v in (selector.get("matchLabels") or {}).items()) and all(
        OPERATORS[x["operator"]](labels, x["key"], x.get("values") or [])
        for x in selector.get("matchExpressions") or [])


class Policy:
    def __init__(self, says):
        self.namespace = says["metadata"].get("namespace", "default")
        spec = says["spec"]
        self.pods = spec.get("podSelector") or {}
        self.rules = {"in": spec.get("ingress") or [], "out": spec.get("egress") or []}
        types = spec.get("policyTypes")
        if not types:
            types = ["Ingress"] + (["Egress"] if self.rules["out"] else [])
        self.directions = {{"Ingress": "in", "Egress": "out"}[t] for t in types}


def flatten(documents):
    for d in documents:
        if d.get("kind") in ("List", "NetworkPolicyList"):
            yield from flatten(d.get("items") or [])
        elif d.get("kind") == "NetworkPolicy":
            yield d


class Kube:
    def __init__(self, documents, site):
        self.site = site
        self.policies = [Policy(d) for d in flatten(documents)]
        self.known = {}

    def of(self, e):
        """The policies that apply to this pod."""
        if e not in self.known:
            self.known[e] = [p for p in self.policies if not e.on_host and
                             p.namespace == e.namespace and selector_matches(p.pods, e.labels)]
        return self.known[e]

    def selects(self, e):
        return bool(self.of(e))

    def isolates(self, e, direction):
        return any(direction in p.directions for p in self.of(e))

    def allows(self, e, direction, a, questions):
        """The union of the rules of all policies that apply, for this other end."""
        got = 0
        for p in self.of(e):
            if direction in p.directions:
                for rule in p.rules[direction]:
                    got |= self._rule(p, rule, e, direction, a, questions)
        return got

    def lets_in(self, e, ours, questions):
        """What the ingress of this pod's policies opens to any of these addresses."""
        got = 0
        for o in ours:
            got |= self.allows(e, "in", o, questions)
        return got

    def _rule(self, policy, rule, e, direction, a, questions):
        """from/to and ports must both match; what is empty or missing matches everything."""
        peers = rule.get("from" if direction == "in" else "to")
        if a in self.site.contested:        # of whom nobody knows who he is (docs/compile.md)
            return 0
        if peers and not any(self._peer(policy, p, a) for p in peers):
            return 0
        ports = rule.get("ports")
        if not ports:
            return questions.all
        # A pod is what shares a network namespace: one container has the labels, another the ports.
        pods = self.site.members[e.space] if direction == "in" else self.site.owners.get(a, [])
        return questions.among(tuple(x for p in ports for x in self._ports(p, pods)))

    def _peer(self, policy, peer, a):
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            return inside(a, prefix(block["cidr"])) and not any(
                inside(a, prefix(x)) for x in block.get("except") or [])
        return any(self._pod(policy, peer, e) for e in self.site.owners.get(a, []) if not e.on_host)

    def _pod(self, policy, peer, e):
        if "namespaceSelector" in peer:
            if not selector_matches(peer["namespaceSelector"], self.labels_of(e.namespace)):
                return False
        elif e.namespace != policy.namespace:
            return False
        return selector_matches(peer.get("podSelector") or {}, e.labels)

    def labels_of(self, namespace):
        return {**self.site.namespaces.get(namespace, {}), NAME_OF_NAMESPACE: namespace}

    def _ports(self, port, pods):
        """As port() in net.py has them; a name is looked up at the destination."""
        protocol = port.get("protocol", "TCP")
        number = port.get("port")
        low = protocol.lower()
        if number is None:
            return [(low, 0, 65535)]
        if isinstance(number, int):
            return [(low, number, port.get("endPort", number))]
        return [(low, p["port"], p["port"]) for e in pods for p in e.ports
                if p["name"] == number and p.get("protocol", "TCP") == protocol]
