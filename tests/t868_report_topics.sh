#!/usr/bin/env bash
# Topics in report and export: terms, ids and texts of documents, hostile ones among them, are escaped, cut and kept apart; the
# page paints in a real browser, wide and narrow.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/browser_help.sh
. "$root/tests/browser_help.sh"
$python -c 'import h5py, matplotlib' 2>/dev/null || skip_test "python3-h5py or python3-matplotlib is not installed"

# Three clusters of 20 rows; the names of their columns and rows, and the texts, are what others may write.
$python - <<'EOF2'
import h5py
import numpy as np
names = ["<script>document.title='run'</script>", "w" * 10000, "\u0645\u0648\u0636\u0648\u0639 \u0627\u0644\u0645\u062c\u0644\u0629",
         "\U0001f469\u200d\U0001f52c\U0001f600", "", "=cmd|' /C calc'!A0", '"quoted" & <b>', "\u202egnirts desrever",
         "caf\u00e9", "a\tb", "plain", "space", "god", "car", "ice", "shuttle", "orbit", "belief", "engine", "hockey", "goal"]
rng = np.random.default_rng(868)
y = np.arange(60) % 3
X = rng.poisson(0.2, (60, len(names)))
for k in range(3):
    X[np.ix_(y == k, np.arange(k, len(names), 3))] += rng.poisson(3, (20, 7))
for i in range(5):  # the hostile ones lie far out, so that the page lists them
    X[i, y[i]::3] += 9
ids = ["<img src=x onerror=alert(1)>", "i" * 1000, "\u05de\u05e1\u05de\u05da", "\U0001f4c4", "-2+3"] + ["doc %d" % i for i in range(55)]
texts = ["<script>alert('text')</script> " + "word " * 2000, "", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd " * 60,
         "x" * 100000, "line\nbreak\tand\x07bell"] + ["The text of document %d, short." % i for i in range(55)]
with h5py.File("data.h5", "w") as f:
    f["X"], f["y"] = X.astype("f4"), y.astype("i4")
    f["ids"] = np.array(ids, h5py.string_dtype())
    f["feature_names"] = np.array(names, h5py.string_dtype())
    f["obs/text"] = np.array(texts, h5py.string_dtype())
EOF2
topics() { run "$1" 1 kmeans --input.data=data.h5 --input.scale=none --cluster.clusters=3 --cluster.n_init=5 --output.top_terms=7 \
    --run.output="$2" --output.documents="${3:-60}"; }
topics 1 one
expect_exit 0 "k-means of rows with names"
expect_out '^[0-9T:+-]+ +topic +0, [0-9]+ rows: .*, ' "the log lists terms"
topics 3 three
run 0 1 compare one/run.h5 three/run.h5
expect_exit 0 "the same on three ranks"

run_cmd "$python" "$root/tools/report.py" one
expect_exit 0 "report"
page=one/report.html
is "$(grep -c '<script' $page)" 0 "nothing of the names is a script"
is "$(grep -ciE '<img src=x|onerror=alert\(1\)>' $page)" 0 "or an element"
ok "the name that looks like one is shown as text" grep -q '<bdi>&lt;script&gt;document.title=' $page
ok "an id, too" grep -q '<b><bdi>&lt;img src=x onerror=alert(1)&gt;</bdi></b>' $page
ok "and the beginning of a text" grep -q '<q><bdi>&lt;script&gt;alert(&#x27;text&#x27;)&lt;/script&gt; word word' $page
ok "a long name is cut" grep -qE "<bdi>w{60}$(printf '\xe2\x80\xa6')</bdi>" $page
ok "a long text" grep -qE "<q><bdi>x{200}$(printf '\xe2\x80\xa6')</bdi></q>" $page
ok "an empty name is named" grep -q '<i class="none">(no name)</i>' $page
ok "an empty text is named" grep -q '<i class="none">(empty)</i>' $page
ok "emoji stay whole" grep -q "$(printf '\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac')" $page
is "$(grep -c "$(printf '\xe2\x80\xae')" $page)" 0 "no character turns the direction of what follows"
number_between "$(stat -c %s $page)" 1000 400000 "the page is small"

run_cmd "$python" "$root/tools/export.py" one/run.h5 topics.csv --topics
expect_exit 0 "export --topics"
is "$(head -n 1 topics.csv)" "cluster,rows,coherence,list,rank,index,name,value" "its columns"
is "$($python - <<'EOF2'
import csv
import h5py
import numpy as np
f, rows = h5py.File("one/run.h5"), list(csv.DictReader(open("topics.csv", newline="", encoding="utf-8")))
t, names = f["topics"], h5py.File("data.h5")["feature_names"].asstr()[:]
terms = [r for r in rows if r["list"] == "term"]
assert len(terms) == (t["columns"][:] >= 0).sum() and len(rows) == len(terms) + 2 * 60
for r in terms:
    k, i = int(r["cluster"]), int(r["rank"]) - 1
    assert int(r["index"]) == t["columns"][k, i] and float(r["value"]) == float("%.9g" % t["weights"][k, i])
    assert r["name"].lstrip("'")[:50] == names[t["columns"][k, i]][:50].replace("\u202e", "\ufffd")
near = [r for r in rows if r["list"] == "nearest"]
assert sorted(int(r["index"]) for r in near) == list(range(60)) and all(r["name"][0] not in "=+-@" for r in rows if r["name"])
order = [float(r["value"]) for r in near if r["cluster"] == "0"]
assert order == sorted(order)
ids = h5py.File("data.h5")["ids"].asstr()[:]
assert all(r["name"].lstrip("'") == ids[int(r["index"])] for r in near)
print("ok")
EOF2
)" ok "it holds terms, weights, rows and ids of run.h5"
if $python -c 'import anndata' 2>/dev/null; then
    run_cmd "$python" "$root/tools/export.py" one/run.h5 a.h5ad --data data.h5 --matrix
    expect_exit 0 "export --matrix"
    is "$(py "import anndata; a = anndata.read_h5ad('a.h5ad'); f = h5py.File('data.h5')
t = a.uns['dcmpi']['topics']
print((a.X == f['X'][:]).all() and a.var_names[10] == 'plain' and a.obs_names[4] == '-2+3' and t['terms'].shape == (3, 7)
      and a.var['topic'].notna().sum() == 21)")" True "anndata reads rows, names and topics"
fi

if command -v chromium >/dev/null; then
    expect_painted $page
    expect_narrow $page
else
    note "SKIP browser: chromium is not installed"
fi

# Runs whose result is damaged, or has nothing to show.
$python - <<'EOF2'
import h5py, shutil
shutil.copytree("one", "bad")
with h5py.File("bad/run.h5", "a") as f:
    del f["topics/weights"]
    f["topics/nearest"][0, 0] = 10 ** 12
EOF2
run_cmd "$python" "$root/tools/report.py" bad --force
expect_exit 0 "a damaged list costs its part, not the page"
run 1 1 kmeans --input.data=data.h5 --input.scale=none --cluster.clusters=3 --output.topics=off --run.output=off
run_cmd "$python" "$root/tools/report.py" off
is "$(grep -c 'id="topics"' off/report.html)" 0 "no section without topics"
run_cmd "$python" "$root/tools/export.py" off/run.h5 no.csv --topics
is "$rc" 2 "export --topics of a run without them"
expect_err "this run has no topics" "says so"
done_testing
