#!/usr/bin/env bash
# tools/report.py: a self-contained page for runs of all kinds, whatever names they hold; one line for files that are no result.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py, matplotlib' 2>/dev/null || skip_test "python3-h5py or python3-matplotlib is not installed"
report=$root/tools/report.py
page() { run_cmd $python "$report" "$@"; }

# Parses the page strictly and prints one word per finding; nothing if all is well.
cat >check.py <<'EOF'
import html.parser
import re
import sys

VOID = {"meta", "img", "br", "path", "use"}
text = open(sys.argv[1], encoding="utf-8").read()


class Checker(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.seen = [], set(), set(), []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.seen.append(tag)
        if tag in ("script", "iframe", "object", "embed", "link", "base", "form"):
            print("tag-" + tag)
        if any(name.startswith("on") for name in attrs):
            print("handler")
        if tag == "img" and len(attrs.get("alt", "")) < 10:
            print("alt")
        if tag == "svg" and (len(attrs.get("aria-label", "")) < 20 or attrs.get("role") != "img"):
            print("label")
        for name in ("src", "href", "xlink:href"):
            link = attrs.get(name, "#")
            if not link.startswith(("#", "data:image/png;base64,")):
                print("fetch-" + link[:40])
            if link.startswith("#") and len(link) > 1:
                self.links.add(link[1:])
        if "id" in attrs:
            if attrs["id"] in self.ids:
                print("twice-" + attrs["id"])
            self.ids.add(attrs["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            print("nesting-" + tag)


checker = Checker()
checker.feed(text)
if checker.open:
    print("unclosed", checker.open)
if checker.links - checker.ids:
    print("dangling", sorted(checker.links - checker.ids)[:3])
if re.search(r"url\((?!#)|@import", text):
    print("css-fetch")
if len(text.encode()) > 5_000_000:
    print("size")
EOF
clean() { is "$($python check.py "$1" 2>&1 | sort -u | head -n 5 | tr '\n' ' ')" "" "$2: self-contained, every picture described"; }
has() { ok "$2" grep -qF -- "$3" "$1"; }
lacks() { ok "$2" sh -c "! grep -qF -- '$3' '$1'"; }

# ---- the built-in problem: images
short="--input.rows=600 --model.hidden=[32] --pretrain.epochs=3 --cluster.max_iter=40 --cluster.update_interval=10"
# shellcheck disable=SC2086  # several options
run 1 1 $short --run.output=glyphs
expect_exit 0 "a small run"
page glyphs
expect_exit 0 "report"
clean glyphs/report.html "built-in problem"
for part in clusters confusion map images training time checks configuration loading; do
    has glyphs/report.html "has part $part" "<section id=\"$part\">"
done
has glyphs/report.html "nearest members" "Nearest of cluster 0: rows"
has glyphs/report.html "reconstructions" "Reconstructions of rows"
has glyphs/report.html "the RESULT line" "$(grep ^RESULT glyphs/log.txt)"
has glyphs/report.html "seed of the sample, or that all rows were used" "all 600 rows"
lacks glyphs/report.html "no part failed" "left out"
cp glyphs/report.html first.html
page glyphs
ok "the same run gives the same page, to the byte" cmp first.html glyphs/report.html

# ---- a plain data file with hostile names
$python - <<'EOF'
import h5py
import numpy as np
rng = np.random.default_rng(7)
y = rng.integers(0, 3, 400).astype("i4")
with h5py.File("blobs<b>.h5", "w") as f:
    f["X"] = (rng.normal(size=(400, 6)) + 6 * np.eye(3, 6)[y]).astype("f4")
    f["y"] = y
    h5py.File("wide.h5", "w")["X"] = np.zeros((400, 7), "f4")
    f.attrs["classes"] = np.bytes_('<script>alert(1)</script>\n"><img src=x onerror=alert(2)>\n$\\frac{a$ & \'')
EOF
hostile='<script>alert("x")<'
mkdir "$hostile"
run 1 1 convert 'blobs<b>.h5' plain.h5 --dataset=/X
cat >hostile.yaml <<EOF
run: {output: '$hostile/a&b', seed: 3}
input: {data: 'blobs<b>.h5', scale: standard}
model: {hidden: [16], latent: 2}
pretrain: {epochs: 2, batch: 64}
cluster: {clusters: 3, update_interval: 5, max_iter: 10, n_init: 2}
EOF
run 1 1 hostile.yaml
expect_exit 0 "a run with hostile names"
page "$hostile/a&b"
expect_exit 0 "report of it"
clean "$hostile/a&b/report.html" "hostile names"
has "$hostile/a&b/report.html" "the folder's name is there, escaped" "a&amp;b"
has "$hostile/a&b/report.html" "the class names are there, escaped" "&lt;script&gt;alert(1)"
lacks "$hostile/a&b/report.html" "no images of plain data" '<section id="images">'
lacks "$hostile/a&b/report.html" "no part failed" "left out"

# ---- k-means: no network, no history
cat >km.yaml <<EOF
run: {output: km}
input: {data: 'blobs<b>.h5', scale: standard}
cluster: {clusters: 3, n_init: 2}
EOF
run 1 1 kmeans km.yaml
expect_exit 0 "a k-means run"
page km --data 'blobs<b>.h5'
expect_exit 0 "report of k-means"
clean km/report.html "k-means"
has km/report.html "silhouettes in the data" "Silhouettes in the scaled data"
lacks km/report.html "no curves" '<section id="training">'
lacks km/report.html "no part failed" "left out"

# ---- partial files
mkdir bare
cp glyphs/run.h5 bare/
page bare
expect_exit 0 "run.h5 alone is enough"
clean bare/report.html "run.h5 alone"
has bare/report.html "times come from run.h5" '<section id="time">'
cut() { # NAME STATEMENT: a copy of glyphs changed by h5py
    mkdir "$1"
    cp glyphs/run.h5 "$1/"
    $python -c "import h5py; f = h5py.File('$1/run.h5', 'a'); $2"
}
cut damaged "del f['confidence'], f['history'], f['model/encoder_0/bias']; f['confidence'] = 'text'"
page damaged
expect_exit 0 "a damaged part costs its section only"
clean damaged/report.html "damaged"
has damaged/report.html "and says so" "This part is left out"

# ---- what is no result: one line, the program's exit codes
fails() { # CODE REGEX WHAT ARGS...
    local code=$1 regex=$2 what=$3
    shift 3
    page "$@"
    is "$rc $(wc -l <"$err")" "$code 1" "$what: exit code and lines"
    expect_err "report.py: ERROR: .*$regex" "$what: the reason"
}
mkdir empty foreign text unfinished
echo hello >text/run.h5
cp plain.h5 foreign/run.h5
cp glyphs/run.h5 unfinished/run.h5.part
cut incomplete "f.attrs['complete'] = 0"
cut headless "del f['labels']"
head -c 5000 glyphs/run.h5 >truncated.h5
mkdir truncated && mv truncated.h5 truncated/run.h5
fails 4 "no such directory" "missing folder" nowhere
fails 4 "no such file" "folder without result" empty
fails 6 "not an HDF5 file" "text file" text
fails 6 "not a result of dcmpi .format: dcmpi-data" "data file" foreign
fails 6 "run.h5.part" "unfinished run" unfinished
fails 6 "incomplete" "incomplete result" incomplete
fails 6 "no /labels" "result without labels" headless
fails 6 "cannot open" "truncated file" truncated
fails 3 "no dataset /X" "a result as data file" glyphs --data glyphs/run.h5
fails 3 "400 rows, the run has 600" "another data file" glyphs --data plain.h5
fails 3 "wide.h5 has 7 columns, the run has 6" "data of another width" km --data wide.h5
fails 4 "cannot write" "output in a missing folder" glyphs --output nowhere/report.html
page
expect_exit 2 "without arguments"
done_testing
