#!/bin/sh
# Twins of two recorded neurons beside their own trials: `sh experiments/twin/run.sh FOLDER`, FOLDER of apayeur/GIF-K's recordings.
# Ten minutes on two cores.
set -e
data=$1 there=experiments/twin runs=runs/twin
mkdir -p "$runs"

# The serotonergic neuron: one minute of noise to learn from, ten repeats of other noise to be measured on.
noble twin "$data/DRN162_5HT/DRN162_5ht_training.abf" -o "$runs/drn162" --json "$there/drn162-training.json"
noble reliability "$data/DRN162_5HT/DRN162_5ht_test.abf" --twin "$runs/drn162" --json "$there/drn162.json" \
    -o docs/figures/twin_trials.png

python experiments/twin/steps.py "$data/DRN162_5HT/current_steps.abf" "$runs/drn162" --json "$there/drn162-steps.json"

# The reverse: steps alone, asked for noise.
noble twin "$data/DRN162_5HT/current_steps.abf" -o "$runs/drn162-from-steps"
noble reliability "$data/DRN162_5HT/DRN162_5ht_test.abf" --twin "$runs/drn162-from-steps" \
    --json "$there/drn162-from-steps.json"

# The GABAergic neuron, of which there are repeats alone: the first half of six to learn from, the second half of all to be
# measured on. What it is measured on is noise that it has not seen.
noble twin "$data/DRN158_GABA/DRN158_gaba_test.abf" -o "$runs/drn158" --sweeps 0-5 --stop 5000 \
    --json "$there/drn158-training.json"
noble reliability "$data/DRN158_GABA/DRN158_gaba_test.abf" --twin "$runs/drn158" --start 5000 --json "$there/drn158.json" \
    -o "$there/drn158.png"
