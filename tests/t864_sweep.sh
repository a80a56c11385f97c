#!/usr/bin/env bash
# tools/sweep.py: one line per run in the order of the numbers, unfinished runs named, means and deviations. t951 runs it on
# the output of jobs/sweep.slurm.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
sweep() { run_cmd /usr/bin/python3 "$root/tools/sweep.py" "$@"; }

make_run() { # NAME RESULT
    mkdir -p "sweep/$1" && touch "sweep/$1/log.txt"
    [ -z "${2:-}" ] || echo "{\"result\": {\"stop_reason\": \"converged\", $2, \"clusters\": 10, \"empty\": 0, \"wall_s\": 2.5}}" \
        >"sweep/$1/summary.json"
}

mkdir -p sweep/other
sweep sweep
expect_exit 3 "a folder without runs"
make_run seed-1 '"iter": 100, "acc": 0.5'
make_run seed-2
make_run seed-3 '"iter": 200, "acc": 0.75'
make_run seed-10 '"iter": 300, "acc": 1'
sweep sweep
expect_exit 0 "table"
is "$(awk 'NR > 1 { printf "%s ", $1 }' "$out")" "seed-1 seed-2 seed-3 seed-10 mean deviation " "runs in the order of their numbers"
expect_out '^seed-3 +converged +200 +0\.750 +10 +0 +2\.5$' "one run"
expect_out '^seed-2 +unfinished' "a run without a result"
expect_out '^mean +200\.0 +0\.750 +2\.5$' "mean of the finished runs"
expect_out '^deviation +100\.0 +0\.250 +0\.0$' "sample standard deviation"
expect_no_out 'nmi' "no column for scores that no run has"

sweep sweep --tsv
is "$(sed -n 4p "$out")" $'seed-3\tconverged\t200\t0.75\t10\t0\t2.5' "tab-separated"
is "$(wc -l <"$out")" 5 "no means in it"

sweep nothing
expect_exit 2 "no such folder"
# ---- One damaged run is marked, the others stay
sweep_marks() { # RUN WORD WARNING WHAT
    sweep sweep
    expect_exit 0 "$4"
    expect_out "^$1 +$2( +-)*\$" "$4: marked in the table"
    expect_err "^sweep\.py: WARNING: .*$3" "$4: a warning names it"
    expect_out '^mean +200\.0 +0\.750 +2\.5$' "$4: the others are counted"
    is "$(grep -c . "$err")" 1 "$4: in one line"
}
for text in '{"result"' '' '[]' '{"result": 3}' '{"result": {"stop_reason": "converged", "acc": "x"}}' \
    '{"result": {"stop_reason": "converged", "iter": NaN}}' "$(printf '%99999s' '' | tr ' ' '[')" "$(printf '{"a": "\377"}')"; do
    echo "$text" >sweep/seed-2/summary.json
    sweep_marks seed-2 damaged 'sweep/seed-2/summary\.json is damaged' "a summary that begins with ${text::30}"
done
rm sweep/seed-2/summary.json
mkdir sweep/seed-2/summary.json
sweep_marks seed-2 damaged 'sweep/seed-2/summary\.json is damaged' "a folder in its place"
rmdir sweep/seed-2/summary.json
echo nonsense >sweep/seed-2/run.h5
sweep_marks seed-2 damaged 'sweep/seed-2/run\.h5 is damaged' "a run.h5 that is none"
python() { /usr/bin/python3 -c "import h5py; f = h5py.File('sweep/seed-2/run.h5', 'w'); f.attrs['result_hash'] = '0123456789abcdef'"; }
rm sweep/seed-2/run.h5 && python
sweep_marks seed-2 no-summary 'sweep/seed-2/summary\.json is missing' "a run.h5 without summary"
make_run seed-2 '"iter": 5'
sweep_marks seed-2 no-summary 'sweep/seed-2/summary\.json is of another run\.h5' "a summary of another run.h5"
done_testing
