#!/bin/sh
# Every study that trains: `sh experiments/studies/train.sh human-pv FOLDER`, FOLDER with SWC files. An hour and a half on two cores; resumes.
# From the project's root, in its environment. What is there already is not computed again; delete a JSON file to do so.
set -e
bundle=$1 data=$2
case $bundle in human-pv) operator=human-pv-steps ;; *) operator=$bundle ;; esac
there=experiments/studies/$bundle runs=runs/studies/$bundle
store=runs/race/$bundle.zarr steps=$runs/hyperpolarising.zarr
mkdir -p "$there" "$runs"

stores() { # only for a study that is missing; a moment where they are complete
    noble generate "experiments/race/$bundle.yaml" "$store" --data-folder "$data"
    noble generate "experiments/studies/hyperpolarising-$bundle.yaml" "$steps" --data-folder "$data"
}
finetune() { # NAME STORE OPTIONS...: numbers and figure to NAME, bundles and runs stay in the run folder
    name=finetune-$1 from=$2; shift 2
    [ -f "$there/$name/$name.json" ] && return
    stores
    noble finetune "$operator" "$from" "$@" -o "$runs/$name" --json "$there/$name/$name.json"
    cp "$runs/$name/finetune.png" "$there/$name/$name.png"
}
# 6 Fine-tuning, as the paper does it: on hyperpolarising steps alone; everything else is watched on the race's data
for feature in sag_amplitude steady_state_voltage_stimend voltage_base; do
    finetune $feature "$steps" --feature $feature --weight 25 --watch "$store"
done
# and on the race's data, where one step in twenty hyperpolarises
finetune sag_amplitude-mixed "$store" --feature sag_amplitude --weight 25

# 7 Ablations
for what in features models; do
    name=$bundle-$what
    [ -f "experiments/ablations/$name.json" ] && continue
    stores
    noble ablate "experiments/ablations/$name.yaml" "$store" -o "runs/ablations/$name" --json "experiments/ablations/$name.json"
    cp "runs/ablations/$name/ablation.png" "experiments/ablations/$name.png"
done
