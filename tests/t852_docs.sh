#!/usr/bin/env bash
# What `make install` puts beside the program: man page, bash completion, modulefile, recipes. They name the program's verbs
# and keys, their tools accept them, and uninstall removes them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
[ -x $python ] || python=python3

# -o: make takes the program as it was built, even if its flags differ now.
stage=$tmp/stage
install=(make --no-print-directory -C "$root" BUILD="$build" DESTDIR="$stage" PREFIX=/opt/dcmpi -o all -o "$build/dcmpi")
rm -f "$build/gen/dcmpi.1" "$build/gen/completion"
run_cmd "${install[@]}" install
expect_exit 0 "make install"
prefix=$stage/opt/dcmpi
for file in bin/dcmpi share/man/man1/dcmpi.1 share/bash-completion/completions/dcmpi share/dcmpi/decks/mnist-dec.yaml \
    share/dcmpi/jobs/mnist.slurm share/dcmpi/tools/report.py share/dcmpi/packaging/spack/packages/dcmpi/package.py \
    share/doc/dcmpi/README.md share/doc/dcmpi/LICENSE; do
    expect_file "$prefix/$file" "installs $file"
done
ok "the installed program starts" "$prefix/bin/dcmpi" --version
page=$prefix/share/man/man1/dcmpi.1
completion=$prefix/share/bash-completion/completions/dcmpi
modulefile=$(find "$prefix/share/modulefiles/dcmpi" -type f)
verbs=$("$dcmpi" --help | sed -nE '/VERB --help/q; s/^  ([a-z-]+) .*/\1/p')
keys=$("$dcmpi" config --reference | sed -nE 's/^\| `([a-z_0-9]+)` \|.*/\1/p' | sort -u)

# ---- man page
if command -v mandoc >/dev/null; then
    is "$(mandoc -Tlint "$page" 2>&1)" "" "mandoc -Tlint has nothing to say"
    mandoc -Tutf8 "$page" | sed 's/.\x08//g' >page.txt
    missing=''
    for word in $keys; do grep -qE "^ +[a-z]+\.$word$" page.txt || missing="$missing $word"; done
    is "$missing" "" "every key has an entry"
    expect_match page.txt '^ +--full-disk=DIR$' "options of verbs have entries"
    expect_match page.txt '^ +Value: none, svd, pca, random$' "values that can be chosen"
    expect_match page.txt '^ +75 +Stopped early' "exit codes"
else
    note "mandoc is not installed: the man page is not checked"
fi
is "$(SOURCE_DATE_EPOCH=86400 "$dcmpi" config --man | head -n 1 | cut -d' ' -f 4)" 1970-01-02 "SOURCE_DATE_EPOCH is heeded"

# ---- completion, as an interactive bash calls it
# shellcheck disable=SC1090
. "$completion"
# WORDS... : completes the last word; with '=' as a word of its own, as bash cuts the line by default.
complete_words() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _dcmpi dcmpi "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
    printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
}
is "$(complete -p dcmpi)" "complete -F _dcmpi dcmpi" "the completion registers itself"
for verb in $verbs; do
    case " $(complete_words dcmpi "${verb:0:2}") " in *" $verb "*) ;; *) no_verb=$verb ;; esac
done
is "${no_verb-none}" none "every verb is completed"
is "$(complete_words dcmpi kme)" "kmeans " "a verb"
is "$(complete_words dcmpi sweep-k --sweep.sa)$(complete_words dcmpi sweep-k --clusters)" "--sweep.sample= --clusters= " \
    "a key and an option of sweep-k"
is "$(complete_words dcmpi --cluster.upd)" "--cluster.update_interval= " "a key without a verb"
is "$(complete_words dcmpi kmeans deck.yaml --pretrain)" " " "k-means has no keys of pretraining"
is "$(complete_words dcmpi fit --input.scale = m)" "minmax " "a value, the words cut at ="
is "$(complete_words dcmpi fit --input.scale =)" "dec minmax none pca robust sample standard symmetric unit " "all values"
is "$(complete_words dcmpi fit --input.scale=m)" "--input.scale=minmax " "a value, the words not cut"
is "$(complete_words dcmpi --run.seed = 1)" " " "a number has no words"
is "$(complete_words dcmpi --output.embedding = t)" "true " "truth values"
is "$(complete_words dcmpi --run.seed = 2 --cluster.method = de)" "dec depict " "after another key"
touch deck.yaml data.h5
is "$(complete_words dcmpi de)" "deck.yaml " "a deck"
is "$(complete_words dcmpi --input.data = da)" "data.h5 " "a file as a value"
is "$(complete_words dcmpi info da)" "data.h5 " "a file for a verb"
is "$(complete_words dcmpi convert --lab)" "--label-column= --label-dataset= --labels= " "options of a verb"
is "$(complete_words dcmpi selftest --dir = da)" "data.h5 " "a path of an option"
is "$(complete_words dcmpi config --explain cluster.to)" "cluster.tol " "keys to explain"
is "$(complete_words dcmpi help sel)" "selftest " "help VERB"
missing=''
for word in $keys; do grep -qE "[ \"]--[a-z]+\.$word=" "$completion" || missing="$missing $word"; done
is "$missing" "" "every key is completed"
if command -v shellcheck >/dev/null; then ok "shellcheck accepts it" shellcheck "$completion"; fi

# ---- modulefile
if command -v tclsh >/dev/null; then
    cat >module.tcl <<'END'
proc module-whatis {text} { puts "whatis $text" }
proc conflict {name} { puts "conflict $name" }
proc setenv {name value} { puts "setenv $name $value" }
proc prepend-path {name value} { puts "prepend $name $value" }
source [lindex $argv 0]
ModulesHelp
END
    run_cmd env MANPATH=/usr/share/man tclsh module.tcl "$modulefile"
    expect_exit 0 "tclsh runs the modulefile"
    expect_out '^prepend PATH /opt/dcmpi/bin$' "PATH"
    expect_out '^prepend MANPATH /opt/dcmpi/share/man$' "MANPATH, where it is set"
    expect_err "^dcmpi $("$dcmpi" --version | cut -d' ' -f 2): " "its help names the version"
    run_cmd env -u MANPATH tclsh module.tcl "$modulefile"
    expect_no_out 'MANPATH' "MANPATH stays unset: it would hide the system's pages"
else
    note "tclsh is not installed: the modulefile is not run"
fi
ok "no placeholder is left" test -z "$(grep @ "$modulefile")"

# ---- recipes
spack=$root/packaging/spack/packages/dcmpi/package.py
easybuild=$(echo "$root"/packaging/easybuild/*.eb)
version=$("$dcmpi" --version | cut -d' ' -f 2)
ok "the Spack recipe is Python" env PYTHONPYCACHEPREFIX="$tmp/cache" $python -m py_compile "$spack"
ok "the EasyBuild recipe is Python" $python -c 'import sys; exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"SYSTEM": {}})' \
    "$easybuild"
ok "the Spack recipe has the version of the program" grep -q "version(\"$version\")" "$spack"
ok "the EasyBuild recipe has it" grep -q "^version = '$version'" "$easybuild"
is "$(basename "$easybuild" | cut -d- -f 2)" "$version" "and its file name"
# Every make variable that a recipe sets is one of the Makefile's.
missing=''
for name in $(grep -ohE '\b[A-Z_0-9]+=' "$spack" "$easybuild" | tr -d = | sort -u); do
    grep -qE "^$name +\??=" "$root/Makefile" || missing="$missing $name"
done
is "$missing" "" "recipes set variables that the Makefile has"

# ---- container
container=$root/packaging/apptainer.def
is "$(sed -nE 's/^(Bootstrap|From): //p' "$container" | tr '\n' ' ')" "docker debian:12 " "it starts from Debian 12, whose packages make setup knows"
is "$(grep -oE 'dcmpi-[0-9.]+[0-9]\.tar' "$container" | sort -u)" "dcmpi-$version.tar" "it takes what make dist writes"
is "$(sed -nE 's/^ +version //p' "$container")" "$version" "and has the version of the program"
is "$(sed -nE 's/^ +license //p' "$container")" "$(sed -nE 's/^license: //p' "$root/CITATION.cff")" "and the licence of CITATION.cff"
ok "whose version is that of the program, too" grep -qx "version: $version" "$root/CITATION.cff"
post=$(sed -n '/^%post/,/^%environment/{/^%/!s/^    //p}' "$container")
ok "%post is a shell script" bash -n <(echo "$post")
is "$(sed -nE 's/^make +//p' <<<"$post" | tr '\n' ';')" "setup;ARCH=x86-64-v3;ARCH=x86-64-v3 install PREFIX=/usr/local;" \
    "it installs packages, builds and installs, with goals and variables of the Makefile"
ok "that the Makefile has" test "$(grep -cE '^(setup|install|ARCH|PREFIX) *(:|\??=)' "$root/Makefile")" = 4
while read -r arguments; do
    # shellcheck disable=SC2086  # several words
    run 0 1 $arguments
    expect_exit 0 "its test: dcmpi $arguments"
done < <(sed -nE '/^%test/,/^%labels/s/^ +dcmpi ([^>]*[^> ]).*/\1/p' "$container")

run_cmd "${install[@]}" uninstall
expect_exit 0 "make uninstall"
is "$(find "$stage" -type f)" "" "nothing stays"
done_testing
