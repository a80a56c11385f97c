#!/usr/bin/env bash
# long: yes
# Phases that may go on for ever ("until tol", "until the job ends"): they start at once, their memory and files grow with the steps
# done and not with the limit, run.max_time is kept, and a second start continues where the first one ended.
. "$(dirname "$0")/lib.sh"

small=(fit --input.rows=300 --model.hidden=[20] --model.latent=5 --pretrain.batch=64 --cluster.clusters=4 --cluster.n_init=2
    --cluster.batch=64 --cluster.tol=0)
parts=4

stops_in_time() { # NAME PHASE ARGS...: the run is stopped by its time after some steps of the phase
    local name=$1 phase=$2 step=0 part bytes
    shift 2
    for part in 1 2; do
        # On a busy machine several parts may pass before the phase is reached.
        for _ in 1 2 3 4 5 6 7 8; do
            run 2 1 "${small[@]}" "$@" --run.max_time=$parts --run.output="$tmp/$name"
            ! grep -q "stopped .* in $phase, step" "$out" || break
        done
        expect_exit 75 "$name: part $part is stopped by run.max_time"
        expect_out "stopped +by run.max_time in $phase, step [0-9]+" "$name: in the phase that does not end"
        ok "$name: in time ($seconds s)" test "$seconds" -le $((parts + 8 * ${SLOW:-1}))
        bytes=$(stat -c %s "$tmp/$name"/ckpt/*.h5 | sort -n | tail -n 1)
        number_between "$bytes" 1000 4000000 "$name: bytes of a checkpoint"
        number_between "$(sed -nE "s/.*stopped +by .* step ([0-9]+),.*/\1/p" "$out")" $((step + 1)) 1e9 "$name: steps"
        step=$(sed -nE "s/.*stopped +by .* step ([0-9]+),.*/\1/p" "$out")
    done
    expect_out "continues $phase" "$name: the second part continues"
}

stops_in_time cluster cluster --pretrain.epochs=2 --cluster.max_iter=1000000000 --cluster.update_interval=30
stops_in_time each-step cluster --pretrain.epochs=2 --cluster.max_iter=1000000000 --cluster.update_interval=1
stops_in_time epochs pretrain --pretrain.epochs=100000000
stops_in_time layers layer_1 --pretrain.mode=layerwise --pretrain.layer_steps=1000000000
stops_in_time finetune finetune --pretrain.mode=layerwise --pretrain.layer_steps=2 --pretrain.epochs=100000000
done_testing
