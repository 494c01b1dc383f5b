"""Rewrite halls of fame in the present schema: `python experiments/halls/upgrade.py FILE...`; their digests stay."""

import sys

from noble.cells import HallOfFame

for file in sys.argv[1:]:
    hall = HallOfFame.load(file)
    hall.save(file)
    assert HallOfFame.load(file).digest == hall.digest
    print(f"{file}: {len(hall)} models, digest {hall.digest[:12]}…")
