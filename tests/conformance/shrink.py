"""A case that disagrees, made smaller as long as it does."""
import copy

from compare import compare


def parts(node, path=()):
    """Every place in nested data that may be taken away, largest first: (path to it)."""
    if isinstance(node, dict):
        items = list(node.items())
    elif isinstance(node, list):
        items = list(enumerate(node))
    else:
        return
    for key, value in items:
        yield path + (key,)
    for key, value in items:
        yield from parts(value, path + (key,))


def without(tree, path):
    tree = copy.deepcopy(tree)
    node = tree
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    return tree


def still(case, folder):
    """A refusal is no disagreement here: taking parts away makes documents invalid."""
    if not (case.sources and case.destinations and case.ports):
        return False
    try:
        _, difference = compare(case, folder)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        return False            # the oracle cannot read it either
    return difference is not None and not difference.text.startswith("refused")


FIELDS = ("documents", "ports", "sources", "destinations", "inventory", "host_file")


def shrink(case, folder, budget=4000):
    progress = True
    while progress and budget > 0:
        progress = False
        for field in FIELDS:
            tried = set()
            while budget > 0:
                path = next((p for p in parts(getattr(case, field)) if p not in tried), None)
                if path is None:
                    break
                smaller = copy.copy(case)
                setattr(smaller, field, without(getattr(case, field), path))
                budget -= 1
                if still(smaller, folder):
                    case, progress, tried = smaller, True, set()
                else:
                    tried.add(path)
    return case
