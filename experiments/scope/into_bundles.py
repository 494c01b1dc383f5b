"""Put what was measured here into the bundles that have learned steps alone: `currents.<kind>` of their metrics, and their cards.

Weights and configurations stay as they are, but for the schema, which becomes today's. Run it from the project's root, after
`run.sh` or whenever cards change.
"""

from __future__ import annotations

import json
from pathlib import Path

from noble.evaluation import model_card
from noble.operator import Operator, bundle

HERE = Path(__file__).parent
KINDS = ("noise", "ramp", "chirp")
BUNDLES = {"human-pv-steps": "human-pv", "human-vip": "human-vip", "stylised-pv": "stylised-pv"}


def main() -> None:
    for name, hall in BUNDLES.items():
        currents = {kind: json.loads((HERE / f"{hall}-{kind}.json").read_text(encoding="utf-8")) for kind in KINDS}
        metrics = {**bundle.read_metrics(name), "currents": currents}
        bundle.revise(name, metrics=metrics, card=model_card(Operator.load(name), metrics))
        print(f"{name}: {bundle.identity(name)['weights_sha256']}")


if __name__ == "__main__":
    main()
