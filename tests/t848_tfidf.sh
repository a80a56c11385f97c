#!/usr/bin/env bash
# Documents to TF-IDF: equal to scikit-learn's numbers (tests/golden/terms.txt) on 20 Newsgroups and R8, and to Python's words and
# lower case for every character; the same bytes on any number of ranks; formats of documents; what is refused, and how; kills.
# DCMPI_ALL=1 (t847): all sets of options on 20 Newsgroups, too.
# limit: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=${PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=python3

# ---- Every character ----------------------------------------------------------------------------------------------------

$python - <<'END'
import re, json
every = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000 and chr(c) not in "\r\n"]
words, text = set(), []
for start in range(0, len(every), 100):
    line = " ".join("q" + c + "z" + c for c in every[start:start + 100])
    words.update(re.findall(r"(?u)\b\w\w+\b", line.lower()))
    text.append(line)
open("chars.txt", "w", encoding="utf8", newline="\n").write("\n".join(text) + "\n")
open("words.txt", "w", encoding="utf8").write("\n".join(sorted(words)))
END
run 0 1 convert chars.txt chars.h5 --text-column=line
expect_exit 0 "a document with every character"
py '
names = [x.decode() for x in h5py.File("chars.h5")["var/_index"][:]]
want = open("words.txt", encoding="utf8").read().split("\n")
print(len(set(names) ^ set(want)), names == want)' >told.txt
is "$(cat told.txt)" "0 True" "its words are those of Python's re, in Python's lower case and order"

# ---- scikit-learn's numbers -----------------------------------------------------------------------------------------------

compare() { # CASE FILE: prints "equal", or what differs
    py "
import hashlib
lines = open('$root/tests/golden/terms.txt').read().split('\n')
at = [i for i, line in enumerate(lines) if line.startswith('case ')][$1]
N, D, nnz, words, places, total = lines[at + 1].split()
with h5py.File('$2') as f:
    ptr, col, val = f['X/indptr'][:], f['X/indices'][:], f['X/data'][:]
    assert tuple(f['X'].attrs['shape']) == (int(N), int(D)), f['X'].attrs['shape']
    assert len(col) == len(val) == int(nnz), len(col)
    if words != '-':
        names = b'\n'.join(f['var/_index'][:])
        assert hashlib.sha256(names).hexdigest()[:16] == words, 'vocabulary'
assert hashlib.sha256(ptr.astype('<i8').tobytes() + col.astype('<i4').tobytes()).hexdigest()[:16] == places, 'places'
assert abs(val.sum(dtype='f8') - float(total)) <= 1e-6 * float(total), val.sum(dtype='f8')
for line in lines[at + 2:at + 5]:
    _, row, count, *values = line.split()
    lo, hi = ptr[int(row)], ptr[int(row) + 1]
    assert hi - lo == int(count)
    for i, pair in enumerate(values):
        c, v = pair.split(':')
        assert col[lo + i] == int(c) and abs(val[lo + i] - float(v)) <= 1e-6 * max(1, abs(float(v))), (row, pair, val[lo + i])
print('equal')" 2>&1 | tail -n 1
}

if [ -n "$data" ] && [ -d "$data/newsgroups20" ] && [ -d "$data/reuters21578" ]; then
    number=-1 large=0
    while read -r _ name options; do
        number=$((number + 1))
        [ "$name" = r8 ] || large=$((large + 1))
        if [ "$name" != r8 ] && [ $large -gt 1 ] && [ -z "${DCMPI_ALL:-}" ]; then continue; fi
        files=("$data"/newsgroups20/{train,test}-stripped.tsv.gz)
        [ "$name" = r8 ] && files=("$data"/reuters21578/r8-{train,test}.tsv.gz)
        # shellcheck disable=SC2086  # several options
        run $((2 * (number % 2))) 1 convert "${files[@]}" g.h5 --text-column=last --label-column=first --force $options
        expect_exit 0 "$name $options"
        is "$(compare $number g.h5)" equal "as scikit-learn has it: $name $options"
    done < <(grep '^case' "$root/tests/golden/terms.txt")
else
    note "20 Newsgroups and R8 are not there: not compared with scikit-learn"
fi

# ---- Any number of ranks --------------------------------------------------------------------------------------------------

$python "$root/tests/zipf_documents.py" 4000 a.jsonl 3 2>/dev/null || $python - <<'END'
import random
random.seed(3)
with open("a.jsonl", "w") as out:
    for i in range(4000):
        body = " ".join("w%d" % int(random.paretovariate(0.6)) for _ in range(random.randrange(80)))
        out.write('{"id": "d%d", "topic": "t%d", "body": "%s"}\n' % (i, i % 7, body))
END
head -n 1500 a.jsonl >b.jsonl
gzip -k b.jsonl
printf '\n\n{"id": 7, "topic": null, "body": null}\n' >c.jsonl
: >empty.jsonl
args=(a.jsonl empty.jsonl b.jsonl.gz c.jsonl b.jsonl)
columns=(--text-column=body --label-column=topic --id-column=id --min-df=2)
run 0 1 convert "${args[@]}" one.h5 "${columns[@]}"
expect_exit 0 "several files, one of them compressed, one empty"
expect_out 'NOTE .*empty.jsonl: is empty' "the empty one is mentioned"
expect_out 'NOTE .*empty lines, skipped: 2' "and so are empty lines"
expect_out 'NOTE .*null, read as empty: 1' "texts that are null"
expect_out 'NOTE .*without a label.*: 1$' "labels that are null"
expect_out '^wrote one.h5: 7001 x [0-9]+ float32.*labels 7 classes' "all of them"
cp one.h5 serial.h5
for P in ${DCMPI_ALL:+1 3} 2 5; do
    run $P 1 convert "${args[@]}" one.h5 "${columns[@]}"
    expect_exit 0 "on $P ranks"
    is "$(cmp one.h5 serial.h5 && echo same)" same "the same bytes on $P ranks"
done
py '
f = h5py.File("one.h5")
ids = [x.decode() for x in f["obs/_index"][:]]
assert ids[0] == "d0" and ids[3999] == "d3999" and ids[5500] == "7" and ids[7000] == "d1499", ids[5500]
codes, names = f["obs/label/codes"][:], [x.decode() for x in f["obs/label/categories"][:]]
assert codes[5500] == -1 and names[codes[3]] == "t3" and sum(codes < 0) == 1
assert len(f["var/df"]) == len(f["var/idf"]) == f["X"].attrs["shape"][1] and min(f["var/df"][:]) == 2
print("right")' >told.txt
is "$(cat told.txt)" right "ids, labels, document frequencies"
printf '{"body":"red green blue"}\n{"body":"red apple pie"}\n{"body":"sky is blue"}\n' >few.jsonl
for n in 1 2; do # of 7 terms: some of the ranks own more than twice as many as are wanted, others fewer
    run 0 1 convert few.jsonl few.h5 --text-column=body --max-features=$n --force
    cp few.h5 few1.h5
    for P in 2 5; do
        run $P 1 convert few.jsonl few.h5 --text-column=body --max-features=$n
        is "$rc $(cmp few.h5 few1.h5 && echo same)" "0 same" "the $n most frequent terms on $P ranks"
    done
done

# ---- An existing vocabulary -----------------------------------------------------------------------------------------------

run 2 1 convert "${args[@]}" again.h5 "${columns[@]:0:3}" --vocabulary=one.h5
expect_exit 0 "--vocabulary"
py '
a, b = h5py.File("one.h5"), h5py.File("again.h5")
print(all((a[n][:] == b[n][:]).all() for n in ("X/data", "X/indices", "X/indptr", "var/df", "var/idf", "obs/label/codes")))' >told.txt
is "$(cat told.txt)" True "gives the rows that made the vocabulary"
run 0 1 convert b.jsonl part.h5 --text-column=body --vocabulary=one.h5
expect_exit 0 "for other documents"
py '
a, b = h5py.File("one.h5"), h5py.File("part.h5")
n = b["X/indptr"][1500]
print((a["X/data"][:n] == b["X/data"][:]).all() and (a["X/indices"][:n] == b["X/indices"][:]).all())' >told.txt
is "$(cat told.txt)" True "with the weights of the first"

# ---- predict reads documents ----------------------------------------------------------------------------------------------

run 2 1 kmeans --input.data=one.h5 --input.scale=none --cluster.clusters=4 --run.output=r
expect_exit 0 "a run on documents"
run 2 1 predict --model=r/run.h5 --input=a.jsonl --output=p.h5
expect_exit 0 "predict reads documents"
expect_out 'documents a.jsonl: 4000 rows' "makes rows of them"
expect_out '^RESULT .*rows=4000 acc=' "and takes the columns of training"
run 0 1 convert a.jsonl a.h5 "${columns[@]:0:3}" --vocabulary=r/run.h5
expect_exit 0 "convert with the vocabulary of the run"
run 1 1 predict --model=r/run.h5 --input=a.h5 --output=p2.h5
run 0 1 compare p.h5 p2.h5
expect_exit 0 "gives the same prediction"
printf 'Text\nw1 w2\n' >p.csv
run 3 1 predict --model=r/run.h5 --input=p.csv --output=p3.h5 --text-column=Text --label-column=none --id-column=none
expect_exit 0 "documents of another kind"
run 2 1 predict --model=r/run.h5 --input=p.csv --output=p4.h5
expect_error 2 'body: no column of line 1 has this name' "columns that are not there"
printf '{"body": 1}\n' >bad.jsonl
run 2 1 predict --model=r/run.h5 --input=bad.jsonl --output=p4.h5 --label-column=none --id-column=none
expect_error 3 "bad.jsonl:1: the value of 'body' is a number" "a text that is none"
run 2 1 predict --model=r/run.h5 --input=a.h5 --output=p4.h5 --text-column=body
expect_error 2 'is no file of documents' "columns of a data file"
is "$(find . -name '*.rows.h5*' -o -name 'p4.h5*')" "" "nothing is left of them"

# ---- Formats --------------------------------------------------------------------------------------------------------------

terms() { py "print(' '.join(x.decode() for x in h5py.File('$1')['var/_index'][:]))"; }
rows() { py "f = h5py.File('$1'); print(*f['X/indptr'][:])"; }
printf 'url,body,topic\nu1,"red, green\nand ""blue""",x\n\nu2,yellow,y\n' >q.csv
run 0 1 convert q.csv q.h5 --text-column=body --label-column=topic --id-column=url
expect_exit 0 "CSV with quotes around separators and line ends"
is "$(terms q.h5) $(rows q.h5)" "and blue green red yellow 0 4 5" "its words and rows"
printf 'x\t"An odd quote\nx\t"well\tquoted"\ny\tplain "words"\n' >q.tsv
run 2 1 convert q.tsv q.h5 --text-column=1 --label-column=first --force
expect_exit 0 "a table with tabs, a quote that is not closed, and one that is"
is "$(rows q.h5)" "0 3 5 7" "its rows"
printf 'body\nred green\n\n blue sky\n' >one.csv
run 0 1 convert one.csv q.h5 --text-column=body --force
expect_exit 0 "a table of one column"
is "$(rows q.h5)" "0 2 2 4" "in which an empty line is an empty document"
printf 'first, line\r\nsecond; line\r\n\r\nlast one' >l.txt
run 0 1 convert l.txt q.h5 --text-column=line --force
is "$rc $(terms q.h5) $(rows q.h5)" "0 first last line one second 0 2 4 4 6" "one document per line, with CR LF, the last without"
run 5 1 convert l.txt q5.h5 --text-column=line
is "$rc $(rows q5.h5)" "0 $(rows q.h5)" "more ranks than lines"
iconv -t UTF-16 l.txt >wide.txt
run 2 1 convert wide.txt w.h5 --text-column=line
is "$rc $(terms w.h5)" "0 first last line one second" "UTF-16"
mkdir -p d/cats d/dogs
echo "a furry cat" >d/cats/1.txt
: >d/cats/2.txt
printf 'good\ndog' >d/dogs/1.txt
run 2 1 convert d/*/*.txt f.h5 --text-column=file --label-column=folder
expect_exit 0 "each file a document, its folder the label"
is "$(rows f.h5) $(py 'f = h5py.File("f.h5"); print(*f["obs/label/codes"][:], *[x.decode() for x in f["obs/_index"][:]])')" \
    "0 2 2 4 0 0 1 d/cats/1.txt d/cats/2.txt d/dogs/1.txt" "rows, labels and ids"
printf 'the\nred\n' >stop.txt
run 0 1 convert q.csv q.h5 --text-column=body --stop-words=stop.txt --force
is "$rc $(terms q.h5)" "0 and blue green yellow" "a file of stop words"
run 0 1 convert q.csv v.h5 --text-column=body --vocabulary=q.h5
is "$rc $(rows v.h5)" "0 0 3 4" "is part of the vocabulary"

# ---- Odd documents --------------------------------------------------------------------------------------------------------

$python - <<'END'
with open("million.txt", "w") as out:
    out.write("\n" * 1000000 + "last words\n")
with open("large.jsonl", "w") as out:
    out.write('{"body": "' + "large words " * 8400000 + '"}\n{"body": "small words"}\n')
open("nul.txt", "wb").write(b"one\0two\nthree\n")
open("nul.jsonl", "wb").write(b'{"body": "one\\u0000two"}\n')
open("latin.tsv", "wb").write(b"x\tcaf\xe9 noir\ny\tth\xe9\nz\tplain\n")
END
run 2 1 convert million.txt m.h5 --text-column=line
expect_exit 0 "a million empty lines"
expect_out '^wrote m.h5: 1000001 x 2' "are empty documents"
limit=120 run 0 1 convert large.jsonl m.h5 --text-column=body --force
expect_exit 0 "a document of 100 MB"
is "$(rows m.h5)" "0 2 4" "its row"
run 0 1 convert nul.txt nul.h5 --text-column=line
is "$rc $(terms nul.h5)" "0 one three two" "a zero byte separates words"
run 0 1 convert nul.jsonl nul.h5 --text-column=body --force
is "$rc $(terms nul.h5)" "0 one two" "also in JSON"
run 0 1 convert latin.tsv lat.h5 --text-column=last
expect_error 3 'latin.tsv:1: byte 6 of the line \(0xE9\) is not UTF-8; .*--decode-error=replace' "Latin-1 is refused"
expect_no_file lat.h5 "and nothing is left"
run 0 1 convert latin.tsv lat.h5 --text-column=last --decode-error=replace
expect_exit 0 "or repaired"
expect_out 'WARNING .*: 2 places in 2 lines were not UTF-8 and were replaced' "with a warning"
is "$(terms lat.h5)" "caf noir plain th" "what is left"

printf '%s\n' '{"body": "half \ud83d\\ud83d whole \ud83d\ude00 end\udc00"}' >half.jsonl
run 0 1 convert half.jsonl half.h5 --text-column=body
expect_error 3 'half.jsonl:1: not a JSON object in one line: .*D83D' "half of a surrogate"
run 0 1 convert half.jsonl half.h5 --text-column=body --decode-error=replace
expect_out 'WARNING .*: 2 places in 1 lines were not UTF-8' "is replaced"
is "$(terms half.h5)" "end half ud83d whole" "what is left"

# ---- What is refused ------------------------------------------------------------------------------------------------------

bad() { # TEXT REGEX WHAT [OPTION ...]
    printf '%b' "$1" >bad.jsonl
    for P in ${DCMPI_ALL:+0} 2; do
        run $P 1 convert b.jsonl bad.jsonl bad.h5 --text-column=body "${@:4}"
        expect_error 3 "$2" "$3, $P ranks"
    done
    expect_no_file bad.h5 "$3: nothing is left"
    expect_no_file bad.h5.part "$3: nor a part"
}
bad '{"body": "x"}\n[1, 2]\n' 'bad.jsonl:2: .*not an object' "a line that is not an object"
bad '{"body": "x"}\n{"body": "x"\n' 'bad.jsonl:2: not a JSON object in one line' "a truncated object"
bad '{"body": "x"}\n{"text": "x"}\n' "bad.jsonl:2: the object has no key 'body' .*its keys: text" "a missing key"
bad '{"body": "x"}\n{"body": ["x"]}\n' "bad.jsonl:2: the value of 'body' is a list" "a value of another type"
bad '{"body": "x"}\n{"body": "x", "body": "y"}\n' 'bad.jsonl:2: .*duplicate' "a key twice"
bad '{"body": "x", "t": {}}\n' "bad.jsonl:1: the value of 't' is an object, not a text or an integer" "a label of another type" --label-column=t
bad '{"body": "\xff"}\n' 'bad.jsonl:1: byte 11 .*not UTF-8' "bytes that are not UTF-8"
printf '1,2\n3,4\n' >n.csv
run 0 1 convert n.csv no-words.h5
while IFS='|' read -r code text regex args; do
    printf '%b' "$text" >bad.txt
    # shellcheck disable=SC2086  # several options
    run 2 1 convert bad.txt bad.h5 $args
    expect_error "$code" "$regex" "$args"
    expect_no_file bad.h5 "nothing is left"
done <<'END'
3|x\ty\nx\ty\tz\n|bad.txt:2: the line has 3 columns, but the first has 2|--text-column=last
3|a b c\n|no document has a word|--text-column=line
3|red\ngreen\n|none of the 2 terms|--text-column=line --min-df=2
2|red\ngreen\n|--max-df allows at most 1 documents|--text-column=line --min-df=2 --max-df=1
3|[{"a": 1}]\n|begins with '\['|--text-column=a
2|red,green\n|no column of line 1 has this name|--text-column=body
2|red\n|a line is a document|--text-column=line --label-column=0
2|red\n|for documents: name their column|--min-df=3
2|red\n|--ngram-range=3: use two numbers|--text-column=line --ngram-range=3
2|red\n|--min-df and --vocabulary exclude each other|--text-column=line --min-df=3 --vocabulary=one.h5
6|red\n|has no vocabulary|--text-column=line --vocabulary=no-words.h5
2|red\n|is not for documents|--text-column=line --transpose
2|red\n|--n-features is not for documents|--text-column=line --n-features=8
END
run 0 1 convert d bad.h5 --text-column=file
expect_error 3 'd: is a directory; give its files' "a folder"
run 2 1 convert b.jsonl missing.jsonl bad.h5 --text-column=body
expect_error 4 'missing.jsonl: cannot open' "a missing file"
run 0 1 convert b.jsonl bad.h5
expect_error 3 'say --text-column=KEY' "JSON lines without --text-column"
is "$(find . -name '*.part' -o -name '*.lock' -o -name '.dcmpi*')" "" "no temporary files stay"

# ---- Other inputs under mpirun, kills -------------------------------------------------------------------------------------

run 2 1 convert n.csv n.h5
expect_exit 0 "numbers under mpirun"
expect_out 'NOTE .*by rank 0 alone' "by rank 0 alone"
run 2 1 convert q.csv n.h5 --force
expect_exit 3 "an error there"
seq -f '{"body": "word%g"}' 400000 >many.jsonl
for signal in TERM KILL; do
    for P in 0 2; do
        rm -f k.h5*
        if [ $P = 0 ]; then
            "$dcmpi" convert many.jsonl k.h5 --text-column=body >/dev/null 2>&1 &
        else
            mpirun -q --oversubscribe -n 2 "$dcmpi" convert many.jsonl k.h5 --text-column=body >/dev/null 2>&1 &
        fi
        child=$!
        for _ in $(seq 100); do [ -e k.h5.part ] || sleep 0.05; done
        kill -$signal $child
        # Ranks whose mpirun was killed may finish before they notice it; so they are killed, too.
        [ $signal = TERM ] || pkill -KILL -f "$dcmpi convert many.jsonl k.h5"
        wait $child
        for _ in $(seq 200); do ! pgrep -f "convert many.jsonl k.h5" >/dev/null || sleep 0.1; done
        is "$(ls k.h5 2>/dev/null)" "" "SIG$signal, $P ranks: no output"
        run $P 1 convert few.jsonl k.h5 --text-column=body
        expect_exit 0 "the next one starts anew"
        is "$(find . -name 'k.h5.*' -o -name '.dcmpi*')" "" "and leaves nothing else"
    done
done
run 0 1 convert many.jsonl k.h5 --text-column=body --force
expect_out '^wrote k.h5: 400000 x 400000 .*, 400000 values' "each document has a word of its own"
expect_no_out 'WARNING' "and rare words are no values far from the others"
# A signal that one rank alone gets, while it reads.
rm -f k.h5*
mpirun -q --oversubscribe -n 2 "$dcmpi" convert many.jsonl k.h5 --text-column=body >one.log 2>&1 &
child=$!
for _ in $(seq 100); do [ -e k.h5.part ] || sleep 0.05; done
kill -USR1 "$(pgrep -P $child | tail -n 1)"
wait $child
is "$? $(grep -c 'stopped by SIGUSR1 to rank 1: no output is left' one.log)" "75 1" "SIGUSR1 to one of two ranks"
done_testing
