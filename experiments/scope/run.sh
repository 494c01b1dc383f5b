#!/usr/bin/env bash
# What the shipped operators answer to currents they were not trained on: 120 fresh traces a subset and kind. Twenty minutes on two cores.
# Usage: experiments/scope/run.sh DATA_FOLDER   (with the published reconstructions of human-pv and human-vip)
set -euo pipefail
cd "$(dirname "$0")"
for hall in human-pv human-vip stylised-pv; do
    for kind in noise ramp chirp; do
        noble evaluate "$hall" --fresh 120 --seed 20261127 --config "$hall-$kind.yaml" --data-folder "$1" \
            --json "$hall-$kind.json"
    done
done
