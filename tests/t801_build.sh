#!/usr/bin/env bash
# What the makefile promises around the program: info, the commit of a source archive, and a missing library named with its
# package. (install: t852_docs)
. "$(dirname "$0")/lib.sh"

make_here=(make --no-print-directory -C "$root" BUILD="$build")
run_cmd "${make_here[@]}" info
expect_exit 0 "make info"
expect_out "^flags .*-ffp-contract=fast" "it shows the flags"
run_cmd "${make_here[@]}" info DEBUG=1 SAN=address,undefined ARCH=x86-64-v3
expect_out "^mode +debug-san-address-undefined-x86-64-v3$" "modes are told apart"
expect_out "^defines .*-DDC_DEBUG" "DEBUG=1 is a define"

# A tree without .git, unpacked inside another repository.
mkdir -p other/tree && cp "$root/Makefile" other/tree/
git init -q other 2>/dev/null
make_there=(make --no-print-directory -C other/tree info)
run_cmd "${make_there[@]}"
expect_out '^version .*\(unknown\)$' "neither repository nor archive: the commit is unknown"
if git -C "$root" archive HEAD 2>/dev/null | tar -x -C other/tree 2>/dev/null; then
    run_cmd "${make_there[@]}"
    expect_out "^version .*\($(git -C "$root" rev-parse HEAD | cut -c1-10)\)$" "a source archive knows its commit"
else
    note "this is no repository: source archives are not checked"
fi

export HDF5_PC=no-such-hdf5
run_cmd "$root/tools/setup.sh" --check
expect_exit 1 "a library is missing"
expect_err "no-such-hdf5 .*Debian package libhdf5-openmpi-dev" "its package is named"
expect_err "make setup" "and the way to install it"
done_testing
