#!/usr/bin/env bash
# Documents as people export them: keys of objects in objects, NaN and large integers of other writers, labels that became 1.0, empty
# shards, several members, names with blanks; what cannot be read is named with its remedy.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

need_command bzip2
need_command xz
mkdir 'mein Ordner'
cat >nested.jsonl <<'EOF2'
{"article": {"body": "one two", "meta": {"topic": 1.0}}, "u.x": 18446744073709551615, "score": NaN}
{"article": null, "u.x": 2, "score": -Infinity}
{"article": {"body": "two \"NaN\" 12345678901234567890 \\", "meta": {"topic": 2.0}}, "u.x": -123456789012345678901, "score": [1e-5, NaN]}
EOF2
gzip -c /dev/null >empty.jsonl.gz
bzip2 -c /dev/null >empty.jsonl.bz2
xz -c /dev/null >empty.jsonl.xz
: >empty.jsonl
cp nested.jsonl 'mein Ordner/größe 1.jsonl'
{ gzip -c nested.jsonl; gzip -c nested.jsonl; } >'mein Ordner/größe 2.jsonl.gz'
{ bzip2 -c nested.jsonl; bzip2 -c nested.jsonl; } >'mein Ordner/größe 3.jsonl.bz2'
columns=(--text-column=article.body --label-column=article.meta.topic --id-column=u.x)

run 0 1 convert nested.jsonl one.h5 "${columns[@]}"
expect_exit 0 "keys of objects in objects"
expect_out "texts that are null, read as empty: 1" "an object that is null has no text"
is "$(py "
f = h5py.File('one.h5')
print([list(f[k].asstr()[:]) for k in ('obs/_index', 'obs/label/categories', 'obs/text')], f['obs/label/codes'][:].tolist())")" \
    "[['18446744073709551615', '2', '-123456789012345678901'], ['1', '2'], ['one two', '', 'two \"NaN\" 12345678901234567890 \\\\']] [0, -1, 1]" \
    "ids keep their digits, labels are integers, texts are as they were"
run 0 1 convert nested.jsonl large.h5 --text-column=article.body --label-column=u.x
expect_out "NOTE .*labels beyond 2\^53 name their classes, with all their digits" "large integers as labels"
is "$(py "print(list(h5py.File('large.h5')['obs/label/categories'].asstr()[:]))")" "['-123456789012345678901', '18446744073709551615', '2']" \
    "which keep their digits"
run 2 1 convert 'mein Ordner/*' empty.jsonl* many.h5 "${columns[@]}"
expect_exit 0 "a glob, several members, empty shards"
expect_out "^wrote many.h5: 15 x " "all documents"
is "$(grep -c 'NOTE .*is empty, it has no documents' "$out")" 4 "empty shards are named"

bad() { # CODE TEXT REGEX WHAT OPTIONS
    printf '%b' "$2" >bad.jsonl
    run 0 1 convert bad.jsonl bad.h5 "${@:5}"
    expect_error "$1" "$3" "$4"
}
bad 3 '{"a": {"b": "x"}}\n' "the value of 'a' is an object, not a text; name a key in it, with a point" "an object" --text-column=a
bad 3 '{"a": {"b": "x"}, "c": 1}\n' "no key 'a.t' .*its keys: a.b, c" "a key that is not in it" --text-column=a.t
bad 3 '{"a": ["x", "y"]}\n' "is a list, not a text; join its parts first: jq -c '.a |= join" "a list" --text-column=a
bad 3 '{"a": "x"},\n{"a": "y"}\n' "bad.jsonl:1: not a JSON object.*no commas between the lines" "commas" --text-column=a
bad 3 '{\n "a": "x"\n}\n' "bad.jsonl:1: not a JSON object.*one line of each: jq -c" "an object of several lines" --text-column=a
bad 3 '{"a": "x", "l": 1.5}\n' "the value of 'l' is a number, not a text or an integer" "a label that is no integer" --text-column=a --label-column=l
bad 3 '{"a": 12345678901234567890}\n' "the value of 'a' is a number, not a text" "a large integer is no text" --text-column=a
bad 2 '{"a": "x", "l": 1}\n' "--label-column=k: no document has such a key; keys of the first: a, l;" "labels that are not there" --text-column=a --label-column=k
bad 3 '{"a": "x", "n": NaNa}\n' "bad.jsonl:1: not a JSON object" "what is no number" --text-column=a
head -c 15 empty.jsonl.gz >cut.jsonl.gz
run 0 1 convert cut.jsonl.gz bad.h5 --text-column=a
expect_error 3 "gzip data end too early" "a truncated file is not an empty one"
done_testing
