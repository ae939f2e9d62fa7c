"""Written cases: a file each in kept/, which says what is there, what the policies are, and why."""
import os

import yaml

from cases.case import Case


def cases(folder):
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".yaml"):
            yield read(os.path.join(folder, name), name[:-len(".yaml")])


def read(path, name):
    """The first document is the frame: inventory, host-file, ports, ends. The others are policies."""
    with open(path) as f:
        frame, *documents = yaml.safe_load_all(f)
    inventory = frame["inventory"]
    allowed = frame.get("allow")
    ends = frame.get("ends") or [e["id"] for e in inventory["endpoints"]]
    case = Case("kept/" + name, documents, inventory, frame.get("host-file", {}), frame["ports"],
                frame.get("from", ends), frame.get("to", ends))
    case.allowed = allowed
    return case
