#!/usr/bin/env bash
# Output of tools/report.py, tools/export.py and tools/sweep.py: two at once, planted links, files of others and of killed tools,
# outputs that are inputs, empty names.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"
report=("$python" "$root/tools/report.py")
export=("$python" "$root/tools/export.py")
seq 1 600 | paste -d, - - >d.csv
"$dcmpi" convert --label-column=last d.csv d.h5 >"$out" 2>"$err" || show_run
run 1 1 --input.data=d.h5 --model.hidden=[8] --model.latent=2 --pretrain.epochs=1 --cluster.n_init=1 --cluster.max_iter=10 \
    --cluster.clusters=3 --run.output=run
expect_exit 0 "a run"
cp -R run before
same_run() { # WHAT
    is "$(diff -r -x report.html run before && cmp d.h5 d.before && echo same)" same "$1: the run is as it was"
}
cp d.h5 d.before

# ---- Two at once
run_cmd bash -c '"$@" >1.txt 2>&1 & "$@" && wait $!' _ "${export[@]}" run/run.h5 twice.csv
expect_exit 0 "two exports to one file"
is "$(wc -l <twice.csv) $(find . -name '*part*')" "301 " "the file is whole, nothing else is left"
run_cmd bash -c '"$@" >1.txt 2>&1 & "$@" && wait $!' _ "${report[@]}" run
expect_exit 0 "two reports of one run"
is "$(tail -n 1 run/report.html) $(find run -name '*part*')" "</html> " "the page is whole, nothing else is left"

# ---- Links, and files that are not ours
echo precious >victim
for name in run/report.html x.csv x.npy; do
    case $name in
    *.html) command=("${report[@]}" run) ;;
    *) command=("${export[@]}" run/run.h5 "$name") ;;
    esac
    rm -f "$name"
    ln -s "$tmp/victim" "$name.part"
    run_cmd "${command[@]}"
    expect_exit 0 "$name: with a link of the name .part"
    is "$(cat victim) $(readlink "$name.part")" "precious $tmp/victim" "$name: it is neither followed nor removed"
    rm "$name.part"
    echo notes >"$name.part"
    run_cmd "${command[@]}"
    is "$rc $(cat "$name.part")" "0 notes" "$name: a file of that name stays"
    rm "$name" "$name.part"
    ln -s "$tmp/victim" "$name"
    run_cmd "${command[@]}"
    is "$(cat victim)" precious "$name: an output that is a link is not written through (exit $rc)"
    rm "$name"
    mkfifo "$name"
    run_cmd "${command[@]}"
    is "$rc $(wc -l <"$err") $(stat -c %F "$name")" "4 1 fifo" "$name: a pipe in its place is left alone"
    rm "$name"
done
umask 027
run_cmd "${export[@]}" run/run.h5 x.csv
is "$(stat -c %a x.csv)" 640 "the umask decides the mode"

# ---- Killed tools
: >.dcmpi-0123456789abcdef.part
: >.dcmpi-0123456789abcdee.part
: >.dcmpi-mine.part
: >.dcmpi-0123456789abcdea.part
touch -d '1 hour ago' .dcmpi-0123456789abcdef.part .dcmpi-mine.part .dcmpi-0123456789abcdea.part
exec 9>>.dcmpi-0123456789abcdea.part # a tool that is at work
touch -d '1 hour ago' .dcmpi-0123456789abcdea.part
flock 9
run_cmd "${export[@]}" run/run.h5 x.csv
is "$rc $(echo .dcmpi-*)" "0 .dcmpi-0123456789abcdea.part .dcmpi-0123456789abcdee.part .dcmpi-mine.part" \
    "of old unfinished files that nobody locks are removed, and no others"
exec 9>&-
rm .dcmpi-*
for signal in TERM INT; do
    run_cmd bash -c '"$@" >1.txt 2>&1 & sleep 0.3; until ls .dcmpi-*.part || ! kill -0 $!; do :; done; kill -'$signal' $!; wait $!' _ \
        "$python" -c "
import sys, time
sys.path.insert(0, '$root/tools')
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from report_output import whole_file
with whole_file('never.csv') as part:
    time.sleep(60)"
    is "$(find . -name 'never*' -o -name '.dcmpi-*')" "" "SIG$signal leaves nothing (exit $rc)"
done

# ---- Outputs that are inputs
refused() { # CODE REGEX WHAT COMMAND...
    local code=$1 regex=$2 what=$3
    shift 3
    run_cmd "$@"
    is "$rc $(wc -l <"$err")" "$code 1" "$what: exit code and lines"
    expect_err "ERROR: .*$regex" "$what: the reason"
    same_run "$what"
}
ln run/run.h5 hard.csv
ln -s run/run.h5 soft.npy
ln d.h5 data.csv
refused 2 "also an input" "export to a second name of the result" "${export[@]}" run/run.h5 hard.csv
refused 2 "also an input" "export to a link to the result" "${export[@]}" run/run.h5 soft.npy
refused 2 "also an input" "export to the data" "${export[@]}" run/run.h5 data.csv --data d.h5
for file in run.h5 summary.json log.txt metrics.jsonl config.used.yaml ckpt/ckpt-000002.h5; do
    refused 2 "also an input" "report to $file" "${report[@]}" run --output "run/$file"
done
refused 2 "also an input" "report to the data" "${report[@]}" run --data d.h5 --output d.h5
refused 2 "not an HTML page" "report to some file" "${report[@]}" run --output d.csv
echo notes >run/report.html
refused 2 "not an HTML page" "a report.html of somebody" "${report[@]}" run
is "$(cat run/report.html)" notes "stays"
rm run/report.html

refused 2 "empty" "export of nothing" "${export[@]}" "" x.csv
refused 2 "" "export to nothing" "${export[@]}" run/run.h5 ""
refused 2 "empty" "export with empty data" "${export[@]}" run/run.h5 x.csv --data=
refused 2 "empty" "report of nothing" "${report[@]}" ""
refused 2 "empty" "report to nothing" "${report[@]}" run --output=
refused 2 "empty" "report with empty data" "${report[@]}" run --data=
refused 2 "not a directory" "sweep of nothing" "$python" "$root/tools/sweep.py" ""
run_cmd "$root/jobs/prepare-data.sh" . ""
expect_exit 2 "prepare-data.sh to nothing"
done_testing
