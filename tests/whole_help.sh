# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # set or used by lib.sh
# For the tests that disturb a run at every possible place (t970, t971), after lib.sh and resume_help.sh: a short run, and the
# checks of the folder that it leaves.
make_blobs 200
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [8], latent: 2}
pretrain: {epochs: 2, batch: 64}
cluster: {clusters: 3, n_init: 2, batch: 64, update_interval: 10, max_iter: 20, tol: 0}
DECK
same=("$dcmpi" deck.yaml --run.output="$tmp/runs/k") # what is disturbed, and given again
same_run() { run_cmd "${same[@]}"; }
mkdir runs
same_run
expect_exit 0 "the undisturbed run"
mv runs/k good
sed -n 's/^RESULT  \(.*\) wall=.*/\1/p' good/log.txt >result.txt

# Prints what is wrong, "" if the last run ended well and its folder is whole. MORE: also make pictures, which takes seconds.
what_is_wrong() { # MORE
    local left
    [ "$rc" = 0 ] || echo "the same command ends with $rc: $(tail -n 1 "$err")"
    "$dcmpi" compare good/run.h5 runs/k/run.h5 >compare.txt 2>&1 || echo "other bits: $(head -n 1 compare.txt)"
    grep -q "^RESULT  $(cat result.txt) wall=" "$out" || echo "no RESULT line"
    "$dcmpi" check runs/k/run.h5 >check.txt 2>&1 || echo "not whole: $(cat check.txt)"
    ! grep finding check.txt
    diff <(sed /resume:/d good/config.used.yaml) <(sed /resume:/d runs/k/config.used.yaml) >deck.txt || echo "another deck: $(cat deck.txt)"
    left=$(find runs -name '*.part' -o -name '*.new' -o -name 'LOCK*' -o -name '.dcmpi*' -o -name in-vain)
    [ -z "$left" ] || echo "left over: $left"
    /usr/bin/python3 "$root/tools/sweep.py" runs >sweep.txt 2>&1 && grep -qE '^k +max_iter +20' sweep.txt || echo "sweep.py: $(cat sweep.txt)"
    /usr/bin/python3 -c "import json
json.load(open('runs/k/summary.json'))
for line in open('runs/k/metrics.jsonl'): json.loads(line)" 2>json.txt || echo "no JSON: $(tail -n 1 json.txt)"
    if [ "$1" = yes ]; then
        /usr/bin/python3 "$root/tools/report.py" runs/k >report.txt 2>&1 || echo "report.py: $(cat report.txt)"
        ! grep WARNING report.txt
    fi
}
