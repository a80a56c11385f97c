#!/usr/bin/env bash
# Foreign things in run.output under the names that a run needs: pipes, devices, sockets, folders, links, files of other programs,
# inputs. The start ends at once with one line that names it, and nothing is touched. Folders of earlier runs work, also of 0.1.0.
. "$(dirname "$0")/lib.sh"
. "$root/tests/resume_help.sh"
limit=20
quick=(kmeans --input.rows=300 --cluster.n_init=1 --run.output=d)
fit=(fit --input.rows=300 --model.hidden=[8] --model.latent=2 --pretrain.epochs=1 --cluster.n_init=1 --cluster.max_iter=10)

run 0 1 "${fit[@]}" --run.output=good
expect_exit 0 "a run"
names=(log.txt files.tsv metrics.jsonl config.used.yaml config.used.yaml.part summary.json summary.json.part run.h5 run.h5.part LOCK
    LOCK.guard STOP ckpt ckpt/ckpt-000001.h5 ckpt/ckpt-000001.h5.part ckpt/in-vain)
echo precious >victim
mkdir place

make() { # KIND PATH
    case $1 in
    pipe) mkfifo "$2" ;;
    device) mknod "$2" c 1 3 ;;
    socket) /usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$2" ;;
    folder) mkdir "$2" ;;
    link) ln -s "$tmp/victim" "$2" ;;
    link-to-folder) ln -s "$tmp/place" "$2" ;;
    dangling) ln -s "$tmp/nowhere" "$2" ;;
    foreign) echo '{"loss": 1}' >"$2" ;;
    second-name) ln "$tmp/good/${2#d/}" "$2" ;;
    others) cp "$tmp/good/${2#d/}" "$2" && chown 65534 "$2" ;;
    esac 2>/dev/null
}
# Everything below a folder: kinds, modes, owners, times, contents.
state() { (cd "$1" && find . ! -path . -printf '%p %y %m %U %n %s %T@ %l\n' | sort && find . -type f -exec cat {} + | cksum); }
refused() { # KIND NAME
    rm -rf d
    mkdir d
    [[ $2 != ckpt/* ]] || mkdir d/ckpt
    make "$1" "d/$2" || { note "$1 cannot be made here" && return; }
    local before resume=auto
    before=$(state d)
    [ "$1" != foreign ] || resume=never # which replaces and removes
    run 0 1 "${quick[@]}" --run.resume=$resume
    [ "$rc" = 4 ] && [ "$(grep -c "dcmpi: ERROR: .*d/${2//./\\.}" "$err")" = 1 ] && [ "$(wc -l <"$err")" = 1 ] && [ "$(state d)" = "$before" ] &&
        [ "$(cat victim)$(ls place)" = precious ] && [ ! -e nowhere ] && return
    wrong=$((wrong + 1))
    note "$1 $2, run.resume=$resume:"
    note "$before"
    note "$(state d)"
    show_run
}
wrong=0 turn=0
for name in "${names[@]}"; do
    turn=$((turn + 1)) # t914: all of them; else each name with half of the kinds, and each kind with half of the names
    for kind in pipe device socket folder link link-to-folder dangling foreign second-name others; do
        turn=$((turn + 1))
        ${DCMPI_EVERY:-false} || [ $((turn % 2)) = 0 ] || continue
        case $kind:$name in
        folder:ckpt) ;;                              # is what it should be
        folder:ckpt/ckpt-000001.h5) ;;               # passed over with a warning (t962)
        foreign:STOP) ;;                             # a wish of any content
        second-name:log.txt | second-name:metrics.jsonl) refused $kind "$name" ;;
        second-name:*) ;;                            # a new file takes the name
        others:log.txt | others:run.h5 | others:summary.json) [ "$(id -u)" != 0 ] || refused $kind "$name" ;;
        others:*) ;;
        *) refused $kind "$name" ;;
        esac
    done
done
is $wrong 0 "each name and kind ends with 4 and one line that names it, and is left alone"

# ---- run.output: . in a folder of other things
mkdir cwd
printf '{"step": 1}\n' >cwd/metrics.jsonl
echo notes >cwd/README
before=$(state cwd)
run_cmd env -C cwd "$dcmpi" kmeans --input.rows=300 --cluster.n_init=1 --run.output=.
expect_error 4 "metrics.jsonl is not a file that dcmpi made" "run.output: ."
run_cmd env -C cwd "$dcmpi" kmeans --input.rows=300 --cluster.n_init=1 --run.output=. --dry-run
expect_error 4 "metrics.jsonl is not a file that dcmpi made" "--dry-run sees it, too"
is "$(state cwd)" "$before" "nothing is touched"
rm cwd/metrics.jsonl
run_cmd env -C cwd "$dcmpi" kmeans --input.rows=300 --cluster.n_init=1 --run.output=.
expect_exit 0 "without it"
is "$(cat cwd/README)" notes "other files stay"

# ---- Inputs under names that the run writes
seq 1 600 | paste -d, - - >d.csv
"$dcmpi" convert d.csv d.h5 >"$out" 2>"$err" || show_run
clash() { # NAME KEY FILE
    local path paths="d/$1"
    [ "$1" != run.h5 ] || paths="d/$1 hard.h5 soft.h5"
    rm -rf d hard.h5 soft.h5
    mkdir -p d/ckpt
    cp "$3" "d/$1"
    ln "d/$1" hard.h5
    ln -s "d/$1" soft.h5
    for path in $paths; do
        before=$(state d)
        run 0 1 "${fit[@]}" --run.output=d --run.resume=never --cluster.clusters=3 "--$2=$path"
        [ "$rc" = 2 ] && grep -q "d/$1 would be written, and is also an input: it is the file of $2" "$err" && [ "$(state d)" = "$before" ] && continue
        wrong=$((wrong + 1))
        note "$2=$path:"
        show_run
    done
}
for name in "${names[@]}"; do
    [ "$name" = ckpt ] && continue
    [ "$name" = STOP ] || clash "$name" input.data d.h5
    clash "$name" model.weights good/run.h5
done
is $wrong 0 "an input that is a file of the run by any name ends with 2, and is left alone"
mkdir -p again
cp good/config.used.yaml again/config.used.yaml
sed -i 's/output: good/output: again/' again/config.used.yaml
run 0 1 again/config.used.yaml
expect_exit 0 "config.used.yaml itself repeats the run"
run 0 1 compare good/run.h5 again/run.h5
expect_exit 0 "to the same bits"

# ---- Folders of earlier runs
for gone in "" run.h5 "run.h5 summary.json" "run.h5 summary.json config.used.yaml" "run.h5 summary.json metrics.jsonl log.txt"; do
    rm -rf d
    cp -R good d
    # shellcheck disable=SC2086  # several names
    [ -z "$gone" ] || (cd d && rm $gone)
    run 0 1 "${fit[@]}" --run.output=d
    expect_exit 0 "an earlier run without '$gone'"
    run 0 1 compare good/run.h5 d/run.h5
    expect_exit 0 "the same bits"
done
for size in 0 1 5; do
    rm -rf d
    cp -R good d
    rm d/run.h5 d/summary.json
    truncate -s $size d/log.txt d/metrics.jsonl d/config.used.yaml
    run 0 1 "${fit[@]}" --run.output=d
    expect_exit 0 "files that were cut to $size bytes"
done
# A killed run may leave any of its files: its lock shows that they are its own.
rm -rf d
mkdir -p d/ckpt
for name in log.txt metrics.jsonl config.used.yaml summary.json.part run.h5.part ckpt/ckpt-000001.h5.part; do head -c 5000 /dev/zero >d/$name; done
printf 'dcmpi lock\nhost %s\npid 2147483000\nticks 1\njob none\nstarted 2026-01-01T00:00:00+0000\nepoch 1767225600\n' "$(hostname)" >d/LOCK
run 0 1 "${fit[@]}" --run.output=d
expect_exit 0 "zeros that a power failure left, and a lock of version 0.1.0"
is "$(cd d && echo ./* ckpt/*.part LOCK*)" "./ckpt ./config.used.yaml ./log.txt ./metrics.jsonl ./run.h5 ./summary.json ckpt/*.part LOCK*" \
    "what was unfinished is gone"
run 0 1 compare good/run.h5 d/run.h5
expect_exit 0 "the result is the same"
# Killed over the result of another deck, then a start that is refused and lets the lock go: the next one finds no part.
rm -rf d
cp -R good d
for name in config.used.yaml.new.part metrics.jsonl.new.part run.h5.part ckpt/ckpt-000001.h5.part; do
    mkdir -p d/ckpt
    head -c 5000 /dev/zero >"d/$name"
done
printf 'dcmpi lock\nhost %s\npid 2147483000\nticks 1\njob none\nstarted 2026-01-01T00:00:00+0000\nepoch 1767225600\n' "$(hostname)" >d/LOCK
run 0 1 "${fit[@]}" --run.output=d --run.seed=2
expect_exit 6 "another deck over a result, behind a killed run"
run 0 1 "${fit[@]}" --run.output=d --run.seed=2 --run.resume=never
expect_exit 0 "the same, wanted"
is "$(find d -name '*.part' -o -name '*.new' -o -name 'LOCK*')" "" "nothing is left over"
done_testing
