#!/usr/bin/env bash
# From a recording to an operator: three jobs, each of which starts when the one before has succeeded.
#   examples/slurm/hall-to-bundle.sh evolution.yaml data.yaml train.yaml runs/pv
# data.yaml says `hall: runs/pv/hall/hall.json`. Submitted again, each job goes on where it stopped.
set -euo pipefail

if [ "$#" -ne 4 ]; then
    echo "usage: hall-to-bundle.sh EVOLUTION.yaml DATA.yaml TRAIN.yaml FOLDER" >&2
    exit 2
fi
evolution=$1 data=$2 train=$3 folder=$4
script=$(dirname "$0")/noble.sbatch

evolve=$(sbatch --parsable "$script" "$folder/hall" evolve "$evolution" -o "$folder/hall")
generate=$(sbatch --parsable --dependency="afterok:${evolve%%;*}" "$script" "$folder" generate "$data" "$folder/data.zarr")
# Training takes one node, and a GPU where there is one: add --gpus=1 here and --accelerator gpu behind noble train.
sbatch --dependency="afterok:${generate%%;*}" --job-name=noble-train --nodes=1 --cpus-per-task=8 --time=24:00:00 \
    --wrap="noble train '$train' '$folder/data.zarr' -o '$folder'"
