#!/usr/bin/env bash
# A data set on a Dask cluster of two processes on this machine, and an operator: examples/local-cluster/run.sh DATA.yaml TRAIN.yaml FOLDER
set -euo pipefail

if [ "$#" -ne 3 ]; then
    echo "usage: run.sh DATA.yaml TRAIN.yaml FOLDER" >&2
    exit 2
fi
data=$1 train=$2 folder=$3

export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$folder"
scheduler_file=$folder/scheduler-$$.json

children=()
clean_up() {
    kill "${children[@]}" 2>/dev/null || true
    wait || true
    rm -f "$scheduler_file"
}
trap clean_up EXIT

dask scheduler --scheduler-file "$scheduler_file" --port 0 --no-dashboard --dashboard-address :0 &
children+=("$!")
until [ -s "$scheduler_file" ]; do
    kill -0 "${children[0]}" 2>/dev/null || { echo "the Dask scheduler did not start" >&2; exit 1; }
    sleep 1
done
dask worker --scheduler-file "$scheduler_file" --nworkers 2 --nthreads 1 --no-dashboard &
children+=("$!")

noble generate "$data" "$folder/data.zarr" --dask "$scheduler_file"
noble train "$train" "$folder/data.zarr" -o "$folder"
