#!/bin/sh
# Every study of a trained operator: `sh experiments/studies/run.sh human-pv-steps FOLDER`, FOLDER with SWC files and the recording.
# From the project's root, in its environment. What is there already is not computed again; delete a JSON file to do so.
set -e
bundle=$1 data=$2
case $bundle in
    human-pv | human-pv-steps) recording=HL23PV.nwb targets=hl23pv-1000.json step=0.2 ;;
    human-vip) recording=HL23VIP.nwb targets=hl23vip-1000.json step=0.2 ;;
    *) echo "expected human-pv, human-pv-steps or human-vip" >&2; exit 2 ;;
esac
hall=${bundle%-steps}
there=experiments/studies/$hall
held_out=$(python -c "from noble.cells import HallOfFame; print(HallOfFame.load('$hall').held_out[0])")

study() { # NAME COMMAND...: numbers to NAME/NAME.json, figures to NAME
    name=$1; shift
    [ -f "$there/$name/$name.json" ] || noble "$@" -o "$there/$name" --json "$there/$name/$name.json"
}

# 1 Ensembles
study ensemble-hall ensemble "$bundle" --step $step --models hall --simulate --data-folder "$data"
study ensemble-hull ensemble "$bundle" --step $step --models hull --n 200 --seed 1 --simulate --data-folder "$data"
study ensemble-disc ensemble "$bundle" --step $step --models "disc:$held_out:0.1" --n 200 --seed 1 --simulate --data-folder "$data"
# 3 F-I curves
study fi fi "$bundle" --simulate 12 --recording "$data/$recording" --data-folder "$data"
# 4 Maps, sampled finely: the height of a sampled peak, and the width at half of it, move with where the samples fall
for feature in AP1_width AHP_depth mean_frequency; do
    study "map-$feature" map "$bundle" --feature $feature --step 0.25 --dt 0.01
done
# 5 Against the recording
study compare compare "$bundle" "$data/$recording"
# 8 Subsampling: what a coarser grid costs, next to the hall's own error
study subsampling subsampling "$bundle" --targets "experiments/halls/targets/$targets" --data-folder "$data"
# 9 Resolution
study resolution resolution "$bundle" --data-folder "$data"
# 2 Interpolation
study interpolate interpolate "$bundle" --targets "experiments/halls/targets/$targets" --data-folder "$data"
