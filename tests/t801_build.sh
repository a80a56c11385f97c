#!/usr/bin/env bash
# What the makefile promises around the program: install, uninstall, info, and a missing library named with its package.
. "$(dirname "$0")/lib.sh"

# -o: take the program as it is built.
make_here=(make --no-print-directory -C "$root" -o "$build/dcmpi" BUILD="$build")

run_cmd "${make_here[@]}" install PREFIX=/usr DESTDIR="$tmp/stage"
expect_exit 0 "make install"
ok "the installed program starts" "$tmp/stage/usr/bin/dcmpi" --version
expect_file stage/usr/share/dcmpi/decks/mnist-dec.yaml "decks are installed"
expect_file stage/usr/share/dcmpi/jobs/mnist.slurm "job scripts are installed"
expect_file stage/usr/share/dcmpi/tools/report.py "tools are installed"
expect_file stage/usr/share/doc/dcmpi/README.md "the README is installed"
run_cmd "${make_here[@]}" uninstall PREFIX=/usr DESTDIR="$tmp/stage"
expect_exit 0 "make uninstall"
is "$(find stage -type f)" "" "nothing is left"

run_cmd "${make_here[@]}" info
expect_exit 0 "make info"
expect_out "^flags .*-ffp-contract=fast" "it shows the flags"
run_cmd "${make_here[@]}" info DEBUG=1 SAN=address,undefined ARCH=x86-64-v3
expect_out "^mode +debug-san-address-undefined-x86-64-v3$" "modes are told apart"
expect_out "^defines .*-DDC_DEBUG" "DEBUG=1 is a define"

export HDF5_PC=no-such-hdf5
run_cmd "$root/tools/setup.sh" --check
expect_exit 1 "a library is missing"
expect_err "no-such-hdf5 .*Debian package libhdf5-openmpi-dev" "its package is named"
expect_err "make setup" "and the way to install it"
done_testing
