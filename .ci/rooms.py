"""Print how much of each room of the package the tests run, and fail where it is less than 85 %: `rooms.py coverage.json`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path, PurePath

LEAST_PERCENT = 85.0


def room(path: str) -> str:
    """The part of the package that a file belongs to: `evolve` of `src/noble/evolve/space.py`."""
    parts = PurePath(path).parts
    return PurePath(parts[parts.index("noble") + 1]).stem


def main(report: Path) -> int:
    """Print the table; return 1 where a room is below the bound."""
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    statements: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    for path, content in files.items():
        statements[room(path)] += content["summary"]["num_statements"]
        covered[room(path)] += content["summary"]["covered_lines"]
    percent = {name: 100 * covered[name] / max(count, 1) for name, count in statements.items()}
    print(f"{'room':<14} {'lines':>6} {'covered':>8}")
    for name in sorted(percent, key=percent.__getitem__):
        print(f"{name:<14} {statements[name]:>6} {percent[name]:>6.1f} %")
    total = 100 * sum(covered.values()) / max(sum(statements.values()), 1)
    print(f"{'all':<14} {sum(statements.values()):>6} {total:>6.1f} %")
    low = [name for name, share in percent.items() if statements[name] and share < LEAST_PERCENT]
    if low:
        print(f"below {LEAST_PERCENT:g} %: {', '.join(sorted(low))}; write tests for what they run nowhere.")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
