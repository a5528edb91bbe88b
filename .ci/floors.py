"""Imports in src point down: a folder uses its own floor and those below.

Usage: python3 .ci/floors.py
"""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"

# From the ground up. Two on one floor know nothing of each other.
FLOORS = [["error", "config"], ["wire"], ["connection"], ["handshake"], ["connect"], ["adapter"], ["tokio", "blocking"]]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
# Error types name what every floor up to the handshake gives them to tell.
EXCEPTIONS = {("error", "wire"), ("error", "handshake")}
# The wire is the core's business.
WIRE_MODULES = {"frame", "mask", "utf8"}


def code(path: Path) -> str:
    """The file without its comments."""
    return re.sub(r"//[^\n]*", "", path.read_text())


def split(group: str) -> list[str]:
    """The items of a list in braces."""
    items, depth, item = [], 0, ""
    for char in group:
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            items.append(item)
            item = ""
        else:
            item += char
    return [item.strip() for item in items + [item] if item.strip()]


def expand(tree: str) -> list[str]:
    """The paths of an import, each whole."""
    tree = tree.strip()
    if "{" not in tree:
        return [re.sub(r"\s+as\s+\w+$", "", tree)]
    prefix, rest = tree.split("{", 1)
    return [prefix + path for item in split(rest.rsplit("}", 1)[0]) for path in expand(item)]


def exports() -> dict[str, str]:
    """Where in the crate each name of its root lives."""
    found = {}
    for tree in re.findall(r"pub use ([^;]+);", code(SRC / "lib.rs")):
        for path in expand(tree):
            found[path.rsplit("::", 1)[-1]] = path
    return found


def imports(text: str) -> list[str]:
    """Every path that begins at the root of the crate."""
    paths = [path for tree in re.findall(r"\buse\s+(crate::[^;]+);", text) for path in expand(tree)]
    paths += re.findall(r"\bcrate(?:::\w+)+", re.sub(r"\buse\s+[^;]+;", "", text))
    return [re.sub(r"\s", "", path).removeprefix("crate::") for path in paths]


def main() -> None:
    root, wrong, seen = exports(), [], 0
    for path in sorted(SRC.rglob("*.rs")):
        relative = path.relative_to(SRC)
        home = relative.parts[0].removesuffix(".rs")
        if home in ("lib", "guide", "fuzzing"):
            continue
        if home not in FLOOR:
            wrong.append(f"{relative} is on no floor")
            continue
        for name in imports(code(path)):
            first, *others = name.split("::")
            resolved = name if first in FLOOR else root.get(first)
            if resolved is None:
                continue
            target, *rest = resolved.split("::")
            if target not in FLOOR:
                continue
            seen += 1
            level = FLOOR[target] < FLOOR[home] or target == home
            if not level and (home, target) not in EXCEPTIONS:
                wrong.append(f"{relative} imports {name}, which is not below it")
            if home in ("tokio", "blocking") and target == "wire" and WIRE_MODULES & set(rest):
                wrong.append(f"{relative} imports {name}: an adapter does not touch the wire")
    print("\n".join(wrong) or f"{seen} imports point down")
    sys.exit(bool(wrong) or seen == 0)


if __name__ == "__main__":
    main()
