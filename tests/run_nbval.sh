#!/bin/sh
# Re-execute notebooks and compare the tagged cells: sh tests/run_nbval.sh PYTHON NOTEBOOKS...
# Runs on the offline digits, or on MNIST when VAE_DATA names its folder. CELL_TIMEOUT: seconds per cell, 300 by default.
# WORKERS: chapters that run side by side, 3 by default, each with one thread that does not spin while it waits.
set -eu
python=$1
shift
if [ -n "${VAE_DATA:-}" ]; then
    VAE_DATA=$(cd "$VAE_DATA" && pwd) || exit 2  # a kernel starts in the notebook's folder, so the path must be absolute
    export VAE_DATA VAE_DATASET=mnist
else
    unset VAE_DATA
    export VAE_DATASET=digits
fi
echo "Executing every chapter from a fresh kernel; data: $VAE_DATASET."
unset PYTHONDONTWRITEBYTECODE  # compiling torch in every kernel costs ten seconds
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
mkdir "$scratch/matplotlib" "$scratch/ipython"
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
export MPLBACKEND=agg MPLCONFIGDIR="$scratch/matplotlib" IPYTHONDIR="$scratch/ipython" TQDM_DISABLE=1
"$python" -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout="${CELL_TIMEOUT:-300}" \
    --nbval-kernel-startup-timeout=120 -n "${WORKERS:-3}" --dist loadfile "$@"
