#!/usr/bin/env bash
# A disk that is full when a graph of neighbours, a sweep or a spectral embedding is to be written: exit 4, one line, no part of a
# result; with room the same command ends with the bits of an undisturbed run, on another number of ranks.
# limit: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
export OMP_NUM_THREADS=1
disk=$tmp/disk
mkdir "$disk"
mount -t tmpfs -o size=1m none "$disk" 2>/dev/null || skip_test "mounting a tmpfs needs root"
trap 'umount "$disk" 2>/dev/null; rm -rf --one-file-system "$tmp"' EXIT
py 'np.save("x.npy", (np.random.default_rng(938).standard_normal((2000, 4)) + 4 * np.eye(4)[np.arange(2000) % 4]).astype("f4"))' >/dev/null

case_of() { # KIB WHAT DATASET OPTIONS...: a disk of KIB, on which all but DATASET has room
    local kib=$1 what=$2 dataset=$3
    shift 3
    run 1 1 "$@" --input.data=x.npy --parallel.shards=8 --output.topics=off --run.output="$tmp/good"
    expect_exit 0 "$what, undisturbed"
    is "$(py "print('$dataset' in h5py.File('good/run.h5'))")" True "it has $dataset"
    mount -o remount,size="${kib}k" "$disk"
    run 2 1 "$@" --input.data=x.npy --parallel.shards=8 --output.topics=off --run.output="$disk/run"
    expect_error 4 "cannot write .*run.h5.*: No space left on device" "$what, full"
    is "$(find "$disk" -name '*.part' -o -name run.h5 -o -name summary.json)" "" "no result, and no part of one"
    mount -o remount,size=32m "$disk"
    run 3 1 "$@" --input.data=x.npy --parallel.shards=8 --output.topics=off --run.output="$disk/run"
    expect_exit 0 "$what, with room"
    run 0 1 compare good/run.h5 "$disk/run/run.h5"
    expect_exit 0 "the bits of the undisturbed run"
    rm -rf good "$disk/run"
}

case_of 300 "a graph" graph/neighbours kmeans --graph.save=true --graph.neighbours=40 --cluster.clusters=4 --cluster.n_init=2
case_of 300 "spectral" spectral/embedding fit --cluster.on=input --cluster.method=spectral --spectral.path=knn --cluster.clusters=40 --cluster.n_init=2
case_of 120 "a sweep" sweep/silhouette sweep-k --cluster.on=input --cluster.method=aekm --clusters=2..4 --sweep.sample=300 --sweep.subsamples=2 --cluster.n_init=2
done_testing
