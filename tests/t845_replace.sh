#!/usr/bin/env bash
# convert, predict, export.py and report.py replace an existing output only if they make the same file again, or with --force.
# If they refuse, every byte stays as it was.
. "$(dirname "$0")/lib.sh"
attr() { py "print(h5py.File('$1').attrs['$2'].decode())"; }
sums() { find . -type f ! -name .out ! -name .err ! -name .seconds -exec md5sum {} + | sort; }

# refused WHAT COMMAND ...: exit code 2, one line, every byte as before.
refused() {
    local what=$1 before
    shift
    before=$(sums)
    run_cmd "$@"
    is "$rc $(cat "$out" "$err" | grep -c 'ERROR')" "2 1" "$what: refused in one line"
    ok "$what: it says what to do" grep -q -- '--force' "$err" "$out"
    is "$(sums)" "$before" "$what: every byte is as it was"
}
made() { # WHAT COMMAND ...
    run_cmd "${@:2}"
    expect_exit 0 "$1"
}

# ---- convert
printf '1,2,0\n3,4,1\n5,6,0\n' >a.csv
printf '1,2,0\n3,4,1\n5,7,0\n' >b.csv
for i in 0 1 2; do made "shard $i" "$dcmpi" convert a.csv part$i.h5; done
refused "the output forgotten behind a glob" "$dcmpi" convert part*.h5
refused "the same of two files" "$dcmpi" convert part0.h5 part1.h5
cp part0.h5 cells.h5ad
refused "the same of other names" "$dcmpi" convert part1.h5 cells.h5ad
is "$(attr part0.h5 verb) $(attr part0.h5 inputs) $(attr part0.h5 options)" "convert a.csv " "the file says how it was made"
made "the same command" "$dcmpi" convert a.csv part0.h5
mkdir sub
made "the same inputs by another name" "$dcmpi" convert ../"$(basename "$PWD")"/a.csv part0.h5
cp a.csv sub/a.csv
cd sub || exit
refused "another file of the same name, from its folder" "$dcmpi" convert a.csv ../part0.h5
cd .. || exit
refused "another input" "$dcmpi" convert b.csv part0.h5
refused "one input more" "$dcmpi" convert a.csv b.csv part0.h5
refused "another option" "$dcmpi" convert a.csv part0.h5 --label-column=last
made "--force" "$dcmpi" convert --force a.csv part0.h5 --label-column=last
is "$(attr part0.h5 options)" "label-column=last" "the new options are in it"
made "the same options in another order, and one that changes nothing" "$dcmpi" convert --label-column=last --max-input=1GiB a.csv part0.h5
printf '7\n8\n7\n' >labels.txt
made "labels" "$dcmpi" convert a.csv labelled.h5 --labels=labels.txt
cp labels.txt others.txt
refused "other labels" "$dcmpi" convert a.csv labelled.h5 --labels=others.txt
py "f = h5py.File('old.h5', 'w'); f['X'] = np.zeros((3, 2), 'f4'); f.attrs['format'] = 'dcmpi-data'; f.attrs['source'] = 'a.csv'"
refused "a file that does not say how it was made" "$dcmpi" convert a.csv old.h5
head -c 300 part1.h5 >cut.h5
refused "a damaged file" "$dcmpi" convert a.csv cut.h5
: >empty.h5
made "an empty file" "$dcmpi" convert a.csv empty.h5

# ---- predict
make_blobs 90 4
made "data" "$dcmpi" convert --label-column=last blobs.csv blobs.h5
made "more data" "$dcmpi" convert --label-column=last blobs.csv more.h5
for run in one two; do
    made "run $run" "$dcmpi" kmeans --input.data=blobs.h5 --cluster.clusters=3 --run.output=$run --run.seed=${#run}
done
new() { run_cmd "$dcmpi" predict --model="$1"/run.h5 --input="$2" --output="$3" "${@:4}"; }
new one blobs.h5 y.h5
expect_exit 0 "a prediction"
is "$(attr y.h5 verb) $(attr y.h5 inputs | tr '\n' ' ')" "predict one/run.h5 blobs.h5 " "it says how it was made"
new one blobs.h5 y.h5 --rows-per-round=7
expect_exit 0 "the same prediction again"
for case in "two/run.h5 blobs.h5 y.h5" "one/run.h5 more.h5 y.h5" "one/run.h5 blobs.h5 two/run.h5" "one/run.h5 blobs.h5 part1.h5" \
    "one/run.h5 blobs.h5 cut.h5" "one/run.h5 blobs.h5 old.h5"; do
    read -r model input output <<<"$case"
    refused "predict over $output: $model, $input" "$dcmpi" predict --model="$model" --input="$input" --output="$output"
done
run 2 1 predict --model=two/run.h5 --input=blobs.h5 --output=y.h5
expect_error 2 "y.h5: output exists .*by dcmpi predict of one/run.h5 blobs.h5.*--force" "on two ranks"
run 2 1 predict --model=two/run.h5 --input=blobs.h5 --output=y.h5 --force
expect_exit 0 "--force"
is "$(attr y.h5 inputs | sed -n 1p)" "two/run.h5" "replaced"

# ---- export.py
export=(/usr/bin/python3 "$root/tools/export.py")
for kind in csv npy; do
    result=one/run.h5
    if [ $kind = npy ]; then
        result=deep/run.h5
        made "a run with an embedding" "$dcmpi" fit --input.data=blobs.h5 --cluster.clusters=3 --model.hidden=[4] --model.latent=2 \
            --pretrain.epochs=1 --cluster.max_iter=3 --run.output=deep
    fi
    made "export to $kind" "${export[@]}" $result out.$kind
    made "the same export to $kind" "${export[@]}" $result out.$kind
    cp a.csv foreign.$kind
    refused "export over another $kind" "${export[@]}" $result foreign.$kind
    made "--force" "${export[@]}" $result foreign.$kind --force
    ok "the same content" cmp foreign.$kind out.$kind
done
refused "export of other columns" "${export[@]}" one/run.h5 out.csv --data blobs.h5
if /usr/bin/python3 -c 'import anndata' 2>"$err"; then
    made "export to h5ad" "${export[@]}" deep/run.h5 out.h5ad
    made "the same export to h5ad" "${export[@]}" deep/run.h5 out.h5ad
    refused "other columns to h5ad" "${export[@]}" deep/run.h5 out.h5ad --data blobs.h5
    refused "export over a file of HDF5" "${export[@]}" deep/run.h5 cells.h5ad
    made "--force" "${export[@]}" deep/run.h5 cells.h5ad --force
else
    note "no anndata: .h5ad is not tested"
fi

# ---- report.py
report=(/usr/bin/python3 "$root/tools/report.py")
made "a report" "${report[@]}" one
made "the same report" "${report[@]}" one/../one
made "a report elsewhere" "${report[@]}" one --output page.html
made "the same report elsewhere" "${report[@]}" one --output page.html
refused "the report of another run" "${report[@]}" two --output page.html
refused "with other data" "${report[@]}" one --output page.html --data more.h5
echo '<!DOCTYPE html><p>mine' >mine.html
refused "over another page" "${report[@]}" one --output mine.html
refused "over a file that is no page" "${report[@]}" one --output a.csv
made "--force" "${report[@]}" two --output page.html --force
sed -i '/<meta name="dcmpi-recipe"/d' one/report.html
made "the run's own page of version 0.1.0" "${report[@]}" one
sed '/<meta name="dcmpi-recipe"/d' one/report.html >older.html
refused "such a page elsewhere" "${report[@]}" one --output older.html
done_testing
