#!/usr/bin/env bash
# convert keeps the beginning of each document, the same for any number of ranks and from any format; the report of the run shows
# it; --keep-text says how much.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py, matplotlib' 2>/dev/null || skip_test "python3-h5py or python3-matplotlib is not installed"

py "
import csv, json
rng = np.random.default_rng(854)
words = ['space orbit moon nasa launch', 'god church faith bible sin', 'game team hockey goal season']
texts = ['', '  \t\n ', 'ten words: ' + '\u6771\u4eac ' * 300, '\"', 'tab\there\r\nand\x07bell\u2028end ', 'x' * 200, 'x' * 201,
         '\"\" quotes \"\" at both ends \"\"']
for i in range(150):
    texts.append('Say \"%s\", <b>caf\u00e9</b> %s' % (i, ' '.join(rng.choice(words[i % 3].split() + ['the', 'people'], 20))))
with open('a.csv', 'w', newline='', encoding='utf-8') as f:
    csv.writer(f).writerows([['n', 'body']] + [[i, t] for i, t in enumerate(texts)])
with open('a.jsonl', 'w') as f:
    f.writelines(json.dumps({'n': i, 'body': t}) + '\n' for i, t in enumerate(texts))
def beginning(t, most=200):
    t = ' '.join(''.join(' ' if c.isspace() or ord(c) < 32 or 127 <= ord(c) < 160 else c for c in t).split(' ')).strip()
    while '  ' in t: t = t.replace('  ', ' ')
    return t if len(t) <= most else t[:most].rstrip() + '\u2026'
json.dump([[beginning(t), beginning(t, 12)] for t in texts], open('expected.json', 'w'))"
run 0 1 convert a.jsonl one.h5 --text-column=body
expect_exit 0 "JSON lines"
run 3 1 convert a.jsonl three.h5 --text-column=body
ok "the same bytes on three ranks" cmp one.h5 three.h5
run 0 1 convert a.csv table.h5 --text-column=body
run 0 1 compare one.h5 table.h5
expect_exit 0 "the same of a table, without the quotes of its cells"
run 0 1 convert a.jsonl short.h5 --text-column=body --keep-text=12
run 0 1 convert a.jsonl none.h5 --text-column=body --keep-text=0
texts() { py "
import json
seen = h5py.File('$1')['obs/text'].asstr()[:].tolist()
wrong = [(i, a, b[$2]) for i, (a, b) in enumerate(zip(seen, json.load(open('expected.json')))) if a != b[$2]]
print(wrong[0] if wrong else len(seen))"; }
is "$(texts one.h5 0)" 158 "each document has its first 200 characters, in one line"
is "$(texts short.h5 1)" 158 "or as many as --keep-text says"
is "$(py "f = h5py.File('none.h5'); print(list(f['obs'].attrs['column-order']), 'text' in f['obs'])")" "[] False" "0 keeps none"
for n in -1 1001 ten ''; do
    run 0 1 convert a.jsonl no.h5 --text-column=body --keep-text="$n"
    expect_error 2 "keep-text" "--keep-text=$n"
done
run 0 1 convert a.csv no.h5 --keep-text=10
expect_error 2 "keep-text is for documents" "without documents"
if /usr/bin/python3 -c 'import anndata' 2>/dev/null; then
    is "$(py "import anndata; a = anndata.read_h5ad('one.h5'); print(a.obs['text'].iloc[6] == 'x' * 200 + '\u2026')")" True "anndata reads it"
fi

run 1 1 kmeans --input.data=one.h5 --input.scale=none --cluster.clusters=3 --run.output=r
expect_exit 0 "k-means"
run_cmd /usr/bin/python3 "$root/tools/report.py" r
expect_exit 0 "report"
number_between "$(grep -o '<q><bdi>Say &quot;[0-9]*&quot;, &lt;b&gt;caf' r/report.html | wc -l)" 9 60 "it shows documents of each cluster, escaped"

mkdir parts
run 0 1 convert a.jsonl parts/1.h5 --text-column=body
sed -E 's/"Say/"Tell/; s/Say /Tell /' a.jsonl >b.jsonl
run 0 1 convert b.jsonl parts/2.h5 --text-column=body --vocabulary=parts/1.h5
run 1 1 kmeans --input.data='parts/*.h5' --input.scale=none --cluster.clusters=3 --run.output=many
run_cmd /usr/bin/python3 "$root/tools/report.py" many
expect_exit 0 "report of a run on two files"
for word in Say Tell; do
    number_between "$(grep -o "<q><bdi>$word &quot;[0-9]*&quot;, &lt;b&gt;caf" many/report.html | wc -l)" 1 60 "it shows documents of both: $word"
done
rm parts/2.h5
run_cmd /usr/bin/python3 "$root/tools/report.py" many
expect_exit 0 "report without one of them"
ok "shows no documents" test "$(grep -c '<q><bdi>' many/report.html)" = 0

run 0 1 check one.h5
expect_exit 0 "check finds the file whole"
py "
with h5py.File('one.h5', 'a') as f: f['obs/text'][7] = b'another text'"
run 0 1 check one.h5
is "$rc" 6 "but not with a text that was changed"
expect_match "$err" "/obs/text" "and names it"
done_testing
