#!/usr/bin/env bash
# Whole runs of the built-in problem, small: files, log, scores, the same k-means bits and nearly the same scores on any
# number of ranks.
. "$(dirname "$0")/lib.sh"

fast=(--model.hidden=[128,64] --pretrain.epochs=12 --cluster.n_init=4 --cluster.max_iter=200)
small=(--input.rows=1500 "${fast[@]}")

run 2 1 "${small[@]}" --run.output="$tmp/p2"
expect_exit 0 "a run without a deck on 2 ranks"
expect_out '^RESULT  converged=(yes|no) iter=[0-9]+ delta=[0-9.]+ acc=[0-9.]+ nmi=[0-9.]+ ari=[0-9.-]+ purity=[0-9.]+ f=[0-9.]+ clusters=10 empty=[0-9]+ wall=[0-9.]+s$' \
    "the RESULT line"
expect_out 'self-checks PASSED, 6 of 6: cluster sizes sum to N, .*rows of q sum to 1, rows of p sum to 1' "self-checks"
expect_out '^section .*slowest' "the timing table"
for file in run.h5 summary.json metrics.jsonl log.txt config.used.yaml; do expect_file "$tmp/p2/$file" "$file"; done
expect_no_file "$tmp/p2/run.h5.part" "no temporary file is left"
ok "summary.json is JSON" python3 -m json.tool "$tmp/p2/summary.json" /dev/null
ok "metrics.jsonl is JSON, line by line" python3 -c "import json,sys; [json.loads(l) for l in open(sys.argv[1])]" "$tmp/p2/metrics.jsonl"
ok "the log has the RESULT line, too" grep -q '^RESULT ' "$tmp/p2/log.txt"
acc2=$(result_value acc)

run 0 1 info "$tmp/p2/run.h5"
expect_exit 0 "info"
expect_out '/labels +int32 +1500' "info lists the labels"
expect_out '^complete +1' "the result says that it is complete"

run 2 1 "$tmp/p2/config.used.yaml" --run.output="$tmp/again"
expect_exit 0 "the effective deck runs"
run 0 1 compare "$tmp/p2/run.h5" "$tmp/again/run.h5"
expect_exit 0 "and gives the same bits on the same ranks"

for p in 1 5; do
    run $p 1 "${small[@]}" --run.output="$tmp/p$p"
    expect_exit 0 "$p ranks"
    number_between "$(result_value acc)" "$(awk "BEGIN { print $acc2 - .03 }")" "$(awk "BEGIN { print $acc2 + .03 }")" \
        "accuracy on $p ranks is that of 2 ranks"
done

for setting in "1 1" "1 2" "3 2" "5 1"; do
    read -r p t <<<"$setting"
    run "$p" "$t" kmeans --input.rows=1500 --cluster.n_init=4 --run.resume=never --run.output="$tmp/km"
    expect_exit 0 "kmeans on $p ranks x $t threads"
    found=$(result_value inertia)
    if [ -e "$tmp/km.h5" ]; then
        run 0 1 compare "$tmp/km.h5" "$tmp/km/run.h5"
        expect_exit 0 "labels, centres and sizes have the same bits"
        is "$found" "$inertia" "the inertia, too"
    else
        mv "$tmp/km/run.h5" "$tmp/km.h5"
        inertia=$found
    fi
done
run 1 1 kmeans --input.rows=1500 --cluster.n_init=4 --run.seed=2 --run.output="$tmp/seed2"
run 0 1 compare "$tmp/km.h5" "$tmp/seed2/run.h5"
expect_exit 1 "another seed gives other bits"
expect_out '^labels: ARI' "compare says how far apart the labels are"

run 2 1 "${small[@]}" --dry-run --run.output="$tmp/dry"
expect_exit 0 "--dry-run"
expect_out 'nothing was written' "--dry-run says so"
step='a step of [0-9]+ rows: [0-9.e-]+ GFLOP, 1 reduction, [0-9.]+ MiB sent by each rank$'
for phase in pretrain cluster; do expect_out "^phase +$phase: about [0-9.]+ GiB per rank; $step" "what a step of $phase costs"; done
for phase in reading kmeans result scores; do expect_out "^phase +$phase: about [0-9.]+ GiB per rank$" "what $phase takes"; done
expect_no_file "$tmp/dry" "--dry-run writes nothing"

for n in 1 3; do
    run 3 1 "${fast[@]}" --input.rows=$n --cluster.clusters=1 --run.output="$tmp/n$n"
    expect_exit 0 "N = $n on 3 ranks"
done
done_testing
