#!/usr/bin/env bash
# Kill and compare: runs are disturbed at random times until they are done, and must end with the bits of an undisturbed run.
#   tests/soak.sh [--build DIR] [--minutes M | --events N] [--seed S] [--decks "dec idec layerwise kmeans METHOD ..."] [--ranks MAX]
# By default the decks are those four and one for each other method but aekm.
# A run is started on a random number of ranks and meets one random event at a random time: a signal to a random rank, to
# mpirun or to all of them, or a file STOP. It is started again until it ends with exit code 0; now and then its newest
# checkpoint is damaged in between. Then run.h5 is compared with that of the undisturbed run bit by bit, and metrics.jsonl
# except for the times. The same seed gives the same events, but not at the same moments: those depend on the machine.
# Last lines: a table of events by phase, counts, "N differences, N faults". Exit code 1 unless both are 0. Every failure is
# printed and its folder kept.
set -u
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/mpi_env.sh
. "$root/tests/mpi_env.sh"
build=$root/build minutes='' most_events=0 seed=$((RANDOM)) decks='' most_ranks=4
while [ $# -gt 1 ]; do
    case $1 in
    --build) build=$(realpath -m "$2") ;;
    --minutes) minutes=$2 ;;
    --events) most_events=$2 ;;
    --seed) seed=$2 ;;
    --decks) decks=$2 ;;
    --ranks) most_ranks=$2 ;;
    *) break ;;
    esac
    shift 2
done
if [ $# -gt 0 ] || { [ -z "$minutes" ] && [ "$most_events" = 0 ]; }; then
    sed -n 's/^#   //p' "$0" >&2
    exit 2
fi
dcmpi=$build/dcmpi
part_limit=300 # seconds until a part that does not end is called a hang
export OMP_NUM_THREADS=1
work=$(mktemp -d "${TMPDIR:-/tmp}/dcmpi-soak.XXXXXX")
cd "$work" || exit 1

# ---- What is run ---------------------------------------------------------------------------------------------------------
small='--input.rows=1000 --parallel.shards=8 --run.log_interval=0.001s'
start='--model.hidden=[70,33] --pretrain.batch=128 --cluster.n_init=4'
net="$start --cluster.batch=128 --cluster.tol=0"
declare -A options=(
    [dec]="fit $small $net --pretrain.epochs=12 --cluster.max_iter=390 --cluster.update_interval=20"
    [idec]="fit $small $net --pretrain.epochs=6 --cluster.method=idec --cluster.max_iter=200 --cluster.update_interval=30
            --cluster.final_kmeans=true"
    [layerwise]="fit $small $net --pretrain.mode=layerwise --pretrain.layer_steps=40 --pretrain.epochs=4
            --cluster.optimizer=adam --cluster.lr=0.001 --cluster.max_iter=100 --cluster.update_interval=25"
    [kmeans]="kmeans --input.rows=3000 --parallel.shards=8 --cluster.n_init=40 --cluster.kmeans_tol=0"
)
declare -A first_phase=([dec]=pretrain [idec]=pretrain [layerwise]=layers [kmeans]=kmeans)
declare -A last_step=([dec]=390 [idec]=200 [layerwise]=100 [kmeans]=none)
others=$("$dcmpi" fit --help | sed -n '/^Methods (cluster.method/,/^$/p' | awk '/^  [a-z]/ && !/^  (dec|idec|aekm) / {print $1}')
train='--cluster.optimizer=adam --cluster.lr=0.0001 --cluster.max_iter=120 --cluster.update_interval=30'
declare -A own=([aae]="$net $train --pretrain.epochs=4 --cluster.clusters=4 --aae.discriminator=[9]"
    [dcan]="$net $train --pretrain.epochs=4 --dcan.discriminator=[9] --dcan.encoder_every=2"
    [gmm]="$start --pretrain.epochs=4 --gmm.n_init=20 --gmm.tol=1e-9"
    [spectral]="$start --pretrain.epochs=4 --spectral.path=knn" # the path with the same bits on any number of ranks
    [imsat]="--model.hidden=[70,33] --cluster.batch=128 --cluster.tol=0 $train")
for method in $others; do
    options[$method]="fit $small --cluster.method=$method ${own[$method]:-$net $train --pretrain.epochs=4}"
    first_phase[$method]=pretrain last_step[$method]=120
done
first_phase[imsat]=cluster
decks=${decks:-dec idec layerwise kmeans ${others//$'\n'/ }}
phases=(start layers pretrain kmeans mixture cluster final_kmeans writing)
kinds=(KILL.rank KILL.mpirun KILL.all TERM.rank TERM.mpirun USR1.rank USR1.mpirun INT.mpirun STOPCONT.rank STOPCONT.mpirun
    USR2.mpirun STOP.file)

# ---- Counts --------------------------------------------------------------------------------------------------------------
declare -A count
parts=0 resumes=0 finished=0 events=0 saving=0 damaged=0 differences=0 faults=0 stops=0
latency_sum=0 latency_max=0 latency_of_start=0

report_fault() { # WHAT: kept for whoever looks for the reason
    faults=$((faults + 1))
    echo "FAULT: $1 (deck $deck, event ${event:-none} in ${phase:-none}, exit $rc); kept in $work/fault$faults"
    mkdir "fault$faults"
    cp -R "$deck" "fault$faults" 2>/dev/null # if it came so far
    cp part.txt "fault$faults/part.txt"
}

# RANDOM must be read in this shell: a subshell would draw the same numbers again. Sets $drawn to one of its arguments.
draw() {
    local n=$((RANDOM % $# + 1))
    drawn=${!n}
}

# ---- One part ------------------------------------------------------------------------------------------------------------
# Processes of this run without mpirun. Another soak test may run on this machine, so the whole path is compared.
rank_pids() { pgrep -f -- "--run.output=$work/$deck( |\$)" | grep -vx "$job"; }

# Sets $phase: what the run is doing, from the last line of its log that tells. Until this part has read its data, the log may
# still be that of the part before.
find_phase() {
    local lines i
    phase=start
    grep -aq ' memory    about ' part.txt && [ -e "$deck/log.txt" ] || return
    mapfile -t lines <"$deck/log.txt"
    for ((i = ${#lines[@]} - 1; i >= 0; i--)); do
        case ${lines[i]} in
        *'  dcmpi '*) phase=${first_phase[$deck]} ;;
        *' stop: '*) phase=writing ;;
        *' k-means   best '*)
            [ "$deck" = kmeans ] || continue
            phase=writing
            ;;
        *', final_kmeans step '* | *' cluster   100.0%'* | *', cluster step '"${last_step[$deck]}":*) phase=final_kmeans ;;
        *' cluster '*'%'* | *', cluster step '* | *' continues cluster,'*) phase=cluster ;;
        *', mixture step '* | *' mixture   '* | *' continues mixture,'*) phase=mixture ;;
        *', kmeans step '* | *' continues kmeans,'* | *' pretrain  100.0%'* | *' finetune  100.0%'*) phase=kmeans ;;
        *' continues pretrain,'* | *' continues finetune,'*)
            phase=pretrain
            # The records of a finished phase are still there.
            [[ "${lines[*]}" != *' pretrain  100.0%'* && "${lines[*]}" != *' finetune  100.0%'* ]] || phase=kmeans
            ;;
        *' pretrain '*'%'* | *' finetune '*'%'* | *', pretrain step '* | *', finetune step '*) phase=pretrain ;;
        *' layer_'*) phase=layers ;;
        *) continue ;;
        esac
        return
    done
}

# Waits for a random moment of the part. Half of the moments are drawn from all of it, half from after its long start.
wait_for_moment() {
    local share=$RANDOM behind_start=$((RANDOM % 2))
    find_phase
    while [ $behind_start = 1 ] && [ "$phase" = start ] && kill -0 "$job"; do
        sleep 0.1
        find_phase
    done 2>/dev/null
    sleep "$(awk -v t="${took[$deck]}" -v x="$share" 'BEGIN { print t * x / 32768 }')"
}

send() { # SIGNAL TARGET
    local pids rank
    mapfile -t pids < <(rank_pids)
    case $2 in
    mpirun) kill -"$1" "$job" 2>/dev/null ;;
    all) kill -"$1" "$job" "${pids[@]}" 2>/dev/null ;;
    rank)
        [ ${#pids[@]} -gt 0 ] || return 1
        rank=$((RANDOM % ${#pids[@]}))
        kill -"$1" "${pids[rank]}" 2>/dev/null
        ;;
    esac
}

# Sets $event; it is "" if the run had already ended.
disturb() { # KIND
    event=''
    kill -0 "$job" 2>/dev/null || return
    find_phase
    event=$1
    if compgen -G "$deck/ckpt/*.part" >/dev/null; then saving=$((saving + 1)); fi
    case $event in
    STOP.file) touch "$deck/STOP" 2>/dev/null || event='' ;;
    STOPCONT.*)
        send STOP "${event#*.}" || event=''
        sleep 0.$((RANDOM % 8 + 1))
        # To all of them: a second draw may give another rank.
        send CONT all
        ;;
    *) send "${event%.*}" "${event#*.}" || event='' ;;
    esac
    [ -n "$event" ] || return
    events=$((events + 1))
    count[$event.$phase]=$((${count[$event.$phase]:-0} + 1))
}

# Sets $rc. When it returns, no process of the part is left.
wait_for_end() {
    local begin=$SECONDS
    # The shell tells of killed jobs as soon as it sees them.
    {
        while kill -0 "$job" && [ $((SECONDS - begin)) -lt $part_limit ]; do sleep 0.1; done
        hung=no
        if kill -0 "$job"; then
            hung=yes
            send KILL all
        fi
        wait "$job"
        rc=$?
    } 2>/dev/null
    [ $hung = no ] || report_fault "no end after $part_limit s"
    begin=$SECONDS
    while [ -n "$(rank_pids)" ] && [ $((SECONDS - begin)) -lt 60 ]; do sleep 0.1; done
    if [ -n "$(rank_pids)" ]; then
        report_fault "ranks outlive mpirun by 60 s"
        send KILL all
    fi
}

larger() { awk -v a="$1" -v b="$2" 'BEGIN { print (a > b ? a : b) }'; }
ends_after_result() { grep -aq '^RESULT' part.txt && [ -s "$deck/run.h5" ]; }

# The part must have ended in a way that the event explains.
judge_part() {
    local line
    line=$(grep -a 'ERROR' part.txt | head -n 1)
    case $rc.$event in
    0.*) [ -s "$deck/run.h5" ] || report_fault "exit code 0 without a result" ;;
    75.USR1.* | 75.TERM.* | 75.INT.* | 75.STOP.file) ;;
    75.*) report_fault "stopped by nobody" ;;
    # mpirun itself may be ended by a signal, and kills its ranks after SIGTERM and SIGINT.
    *.KILL.* | *.TERM.mpirun | *.INT.mpirun) line='' ;;
    # A signal ends the process before its handlers are installed; mpirun removes its own handlers before it ends.
    *.TERM.rank | *.USR?.*) [ "$phase" = start ] || ends_after_result || report_fault "a bad end" ;;
    138. | 140.) ends_after_result || report_fault "a bad end" ;;
    *) report_fault "a bad end" ;;
    esac
    [ -z "$line" ] || report_fault "$line"
    if grep -aq '  continues ' part.txt; then resumes=$((resumes + 1)); fi
    line=$(sed -nE 's/.* stopped   by .* ([0-9.]+) s after the request.*/\1/p' part.txt)
    [ -n "$line" ] || return
    # A signal or STOP file that comes before the work is acted on only once MPI has started.
    [ "$phase" != start ] || { latency_of_start=$(larger "$latency_of_start" "$line") && return; }
    stops=$((stops + 1))
    latency_sum=$(awk -v s="$latency_sum" -v x="$line" 'BEGIN { print s + x }')
    latency_max=$(larger "$latency_max" "$line")
}

start_part() { # RANKS EVERY
    : >part.txt
    # shellcheck disable=SC2086  # several options
    mpirun $MPIRUN_FLAGS -n "$1" "$dcmpi" ${options[$deck]} --checkpoint.every="$2" --run.output="$work/$deck" \
        >part.txt 2>&1 </dev/null &
    job=$!
    parts=$((parts + 1))
}

# Cuts a checkpoint or flips one of its bits; never the only checkpoint.
damage_newest() {
    local list newest at
    list=("$deck"/ckpt/ckpt-*.h5)
    [ ${#list[@]} -ge 2 ] || return
    newest=${list[-1]}
    at=$(((RANDOM * 32768 + RANDOM) % $(stat -c %s "$newest")))
    if [ $((RANDOM % 2)) = 0 ]; then
        truncate -s $at "$newest"
    else
        printf "%b" "\\x$(printf %02x $(($(od -An -tu1 -j $at -N 1 "$newest") ^ 1 << RANDOM % 8)))" |
            dd of="$newest" bs=1 seek=$at conv=notrunc status=none
    fi
    damaged=$((damaged + 1))
}

# ---- One run -------------------------------------------------------------------------------------------------------------
without_times() { sed 's/, "elapsed_s".*//' "$1"; }

compare_run() {
    "$dcmpi" compare "good.$deck/run.h5" "$deck/run.h5" >compare.txt 2>&1
    rc=$?
    if [ $rc != 0 ]; then
        differences=$((differences + 1))
        cat compare.txt
        report_fault "the result differs"
    fi
    rm -f "$deck/STOP" # it may have come too late
    cmp -s <(without_times "good.$deck/metrics.jsonl") <(without_times "$deck/metrics.jsonl") ||
        report_fault "metrics.jsonl differs"
    [ -z "$(find "$deck" -name '*.part' -o -name 'LOCK*' -o -name STOP)" ] || report_fault "files are left behind"
}

# The undisturbed run; sets $took, its seconds.
run_good() {
    local begin=$EPOCHREALTIME
    event='' phase=''
    start_part 2 0
    wait_for_end
    if [ "$rc" != 0 ]; then
        report_fault "the undisturbed run"
        cat part.txt
        exit 1
    fi
    took[$deck]=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
    mv "$deck" "good.$deck"
}

# One event, or more while the run goes on after them.
disturb_part() {
    while :; do
        draw "${kinds[@]}"
        wait_for_moment
        disturb "$drawn"
        [ "$phase" != start ] || return
        case $event in STOPCONT.* | USR2.*) ;; *) return ;; esac
    done
}

# Parts until the run is done.
run_disturbed() {
    local ranks every
    rm -rf "$deck"
    while :; do
        draw $(seq "$most_ranks") && ranks=$drawn
        draw 0 0.2s 0.5s 2s && every=$drawn
        event='' phase=''
        start_part "$ranks" "$every"
        disturb_part
        wait_for_end
        judge_part
        [ "$rc" != 0 ] || break
        [ $faults -lt 10 ] || return
        [ $((RANDOM % 8)) != 0 ] || damage_newest
    done
    finished=$((finished + 1))
    compare_run
}

go_on() {
    [ $faults -lt 10 ] || return 1
    [ "$most_events" = 0 ] || [ $events -lt "$most_events" ] || return 1
    [ -z "$minutes" ] || [ $SECONDS -lt $((60 * minutes)) ]
}

# ---- Report --------------------------------------------------------------------------------------------------------------
print_table() {
    local kind phase n sum
    printf '%-16s' 'events by phase'
    printf '%13s' "${phases[@]}" all
    echo
    for kind in "${kinds[@]}"; do
        printf '%-16s' "$kind"
        sum=0
        for phase in "${phases[@]}"; do
            n=${count[$kind.$phase]:-0}
            sum=$((sum + n))
            total[$phase]=$((${total[$phase]:-0} + n))
            printf '%13d' "$n"
        done
        printf '%13d\n' $sum
    done
    printf '%-16s' all
    for phase in "${phases[@]}"; do printf '%13d' "${total[$phase]:-0}"; done
    printf '%13d\n' $events
}

report() {
    declare -A total
    print_table
    echo "seed $seed, $((SECONDS / 60)) min $((SECONDS % 60)) s: $finished runs of $parts parts, $resumes resumes," \
        "$damaged damaged checkpoints, $saving events while a checkpoint was written"
    awk -v n="$stops" -v s="$latency_sum" -v m="$latency_max" -v l="$latency_of_start" 'BEGIN {
        printf "%d clean stops at work, %.2f s from the signal to the exit on average, %.2f s at most", n, n ? s / n : 0, m
        printf "; before work, with the start of MPI, %.2f s at most\n", l }'
    echo "$differences differences, $faults faults"
}

declare -A took
RANDOM=$seed
echo "soak: seed $seed, decks $decks, in $work"
for deck in $decks; do run_good; done
parts=0
while go_on; do
    for deck in $decks; do
        run_disturbed
        go_on || break
    done
    [ $((finished % 20)) -ge 4 ] || report
done
report
[ $faults != 0 ] || rm -rf "$work"
[ $((differences + faults)) = 0 ]
