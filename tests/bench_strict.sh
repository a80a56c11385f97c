#!/usr/bin/env bash
# What parallel.reproducible: strict costs on this machine, as a table; `make bench` calls it. Wants two idle cores.
#   tests/bench_strict.sh [BUILD]      (default: build)
# One rank with one thread is measured in processor time, which other processes hardly change; all else by the clock.
set -eu
bench=${1:-build}/tests/bench_strict

echo "| whole training step of 784-500-500-2000-10 and back | off | strict | strict / off | middle half |"
echo "|---|---|---|---|---|"
for threads in 1 2; do
    for settings in "256 60" "4096 10"; do
        # shellcheck disable=SC2086  # rows and pairs
        OMP_NUM_THREADS=$threads OMP_PROC_BIND=true "$bench" $settings
    done
done
OMP_NUM_THREADS=1 "${MPIRUN:-mpirun}" --bind-to core -n 2 "$bench" 256 60
