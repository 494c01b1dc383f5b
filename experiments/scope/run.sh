#!/usr/bin/env bash
# What the operators of steps alone answer to currents they were not trained on: 120 fresh traces a subset and kind. Twenty minutes on two cores.
# Usage: experiments/scope/run.sh DATA_FOLDER   (with the published reconstructions of human-pv and human-vip)
set -euo pipefail
cd "$(dirname "$0")"
for bundle in human-pv-steps human-vip stylised-pv; do
    hall=${bundle%-steps}
    for kind in noise ramp chirp; do
        noble evaluate "$bundle" --fresh 120 --seed 20261127 --config "$hall-$kind.yaml" --data-folder "$1" \
            --json "$hall-$kind.json"
    done
done
