#!/usr/bin/env bash
# t513 tests every operation that the sources define: its twin, gradients, bits of rows.
. "$(dirname "$0")/lib.sh"

# defined FOLDER: names of the operations, a line each; a definition without a name gives "?".
defined() {
    cat "$1"/src/*/*.c | tr '\n' ' ' | grep -oE '\bdc_op [a-z_0-9]+(\[[^]]*\])? *= *\{[^}]*\}' |
        sed -E 's/.*\.name = "([^"]*)".*/\1/; t; s/.*/?/' | sort
}

mkdir -p tree/src/nn
printf 'static const dc_op a = {.name = "one", .reach = 1};\nconst dc_op dc_b = {\n    .reach = 2, .name = "two"};\n' >tree/src/nn/a.c
printf 'static const dc_op c = {\n    .forward = f};\nextern const dc_op d;\nconst dc_op *f(const dc_op *x);\n' >tree/src/nn/b.c
is "$(defined tree | tr '\n' ' ')" "? one two " "definitions are found"

defined "$root" >sources.txt
number_between "$(wc -l <sources.txt)" 15 1000 "operations in src"
"$build/tests/t513_operations" --names | sort -u >tested.txt
is "$(comm -23 sources.txt tested.txt)" "" "operations that t513 does not test"
is "$(comm -13 sources.txt tested.txt)" "" "operations that are no more"
done_testing
