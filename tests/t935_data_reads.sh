#!/usr/bin/env bash
# A disk that fails once, at any read of a file of data (a preloaded shim makes the read fail): every verb ends with exit 4 and the
# system's words, and leaves no result. A read that only asks whether something is there, or what kind of file it is, counts like
# any other; so do reads of rows through MPI-IO, which keeps the error to itself.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
failio=$build/tests/failio.so
[ -f "$failio" ] || skip_test "no $failio: make tests"
skip_with_sanitizers "they must be loaded first, and so must what fails"

py '
r = np.random.default_rng(1)
X = r.integers(1, 4, (60, 6)).astype("f4")
np.save("rows.npy", X)
for name in "one.h5", "two.h5":
    with h5py.File(name, "w") as f: f["X"] = X + (name == "two.h5")
with h5py.File("cells.h5ad", "w") as f:
    g = f.create_group("X")
    g.attrs["encoding-type"] = "csr_matrix"
    g.attrs["shape"] = np.array([60, 6])
    g["indptr"], g["indices"], g["data"] = np.arange(61) * 6, np.tile(np.arange(6, dtype="i4"), 60), X.ravel()
    for frame, index, n in ("obs", "cell", 60), ("var", "gene", 6):
        o = f.create_group(frame)
        o.attrs["_index"] = index
        o.create_dataset(index, data=["%s%d" % (index, i) for i in range(n)], dtype=h5py.string_dtype())
Y = (r.normal(size=(6000, 16)) + 5 * np.repeat(np.arange(3), 2000)[:, None] + 1).astype("f4")
with h5py.File("large.h5", "w") as f: f["X"] = Y
with h5py.File("chunks.h5", "w") as f: f.create_dataset("X", data=Y, chunks=(500, 16))
'
export OMP_NUM_THREADS=1
kmeans="kmeans --cluster.clusters=3 --cluster.n_init=1 --run.output=km"

# The verb, with read number $1 of the file failing.
with_read() { # NUMBER FILE ARGS...
    local at=$1 file=$2
    shift 2
    rm -rf km out.h5 reads
    FAILIO_MATCH=$file FAILIO_CALL=read FAILIO_AT=$at FAILIO_LOG=$tmp/reads LD_PRELOAD=$failio run_cmd "$dcmpi" "$@"
}

# Each STEPth read of the file fails in turn, in every one of the processes that make as many of them.
each_read() { # PROCESSES STEP FILE ARGS...
    local processes=$1 step=$2 n wrong="" reads
    shift 2
    with_read 0 "$@"
    expect_exit 0 "$2 of $1"
    reads=$(($(wc -l <"$tmp/reads") / processes))
    for ((n = 1; n <= reads; n += step)); do
        with_read $n "$@"
        if [ "$rc" != 4 ] || ! grep -q 'ERROR: .*Input/output error' "$err" || [ -e out.h5 ] || [ -e out.h5.part ] || [ -e km/run.h5 ]; then
            wrong+=" $n"
            show_run
        fi
    done
    is "$wrong" "" "$2 of $1: none of $reads reads, in steps of $step, fails unseen"
}
each_read 1 2 rows.npy convert rows.npy out.h5
each_read 1 2 one.h5 convert one.h5 out.h5
each_read 1 3 cells.h5ad convert cells.h5ad out.h5
# shellcheck disable=SC2086  # several options, here and below
each_read 1 2 rows.npy $kmeans --input.data=rows.npy
# shellcheck disable=SC2086
each_read 2 3 two.h5 $kmeans "--input.data=[one.h5,two.h5]"

printf '{"text": "%s", "label": "%s"}\n' "apple pear" fruit "bus car" ride "pear apple" fruit "car bus" ride >texts.jsonl
run_cmd "$dcmpi" convert texts.jsonl texts.h5 --text-column=text --label-column=label
run_cmd "$dcmpi" kmeans --cluster.clusters=2 --input.data=texts.h5 --run.output=model
each_read 1 2 texts.jsonl predict --model=model/run.h5 --input=texts.jsonl --output=out.h5

# What was there before must be read, too, to tell whether it may be replaced.
run_cmd "$dcmpi" convert rows.npy kept.h5
wrong=""
for ((n = 1; n < 24; n += 2)); do
    run_cmd env FAILIO_MATCH=kept.h5 FAILIO_CALL=read FAILIO_AT=$n LD_PRELOAD="$failio" "$dcmpi" convert rows.npy kept.h5
    if [ "$rc" != 0 ] && [ "$rc" != 4 ]; then wrong+=" $n" && show_run; fi
done
is "$wrong" "" "an output of the same request that cannot be read is not taken for another"

# In the rows of the last of two ranks.
for file in large chunks; do
    rm -rf km
    # shellcheck disable=SC2086
    run_cmd env LD_PRELOAD="$failio" FAILIO_MATCH=$file.h5 FAILIO_CALL=read FAILIO_AT=1 FAILIO_BYTES=20000 FAILIO_RANK=1 \
        mpirun $MPIRUN_FLAGS -n 2 "$dcmpi" $kmeans --input.data=$file.h5
    expect_error 4 "cannot read '/X' .*$file.h5: (MPI-IO lost a part|Input/output error); the" "rows of $file.h5"
    expect_no_file km/run.h5 "no result"
done
done_testing
