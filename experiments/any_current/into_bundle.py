"""Put `human-pv.json` into the shipped bundle, and its card: `python experiments/any_current/into_bundle.py`."""

from __future__ import annotations

import json
from pathlib import Path

from noble.evaluation import model_card
from noble.operator import Operator, bundle

HERE = Path(__file__).parent


def main() -> None:
    metrics = json.loads((HERE / "human-pv.json").read_text(encoding="utf-8"))
    bundle.revise("human-pv", metrics=metrics, card=model_card(Operator.load("human-pv"), metrics))
    print(bundle.identity("human-pv")["weights_sha256"])


if __name__ == "__main__":
    main()
