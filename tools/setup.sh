#!/usr/bin/env bash
# Finds out what is missing on this machine and installs it with apt (Debian 12 names).
#   tools/setup.sh                install what is missing (root or sudo); ends at once if nothing is
#   tools/setup.sh --developer    also what make lint and make check-valgrind need
#   tools/setup.sh --cluster      also what the virtual Slurm cluster (tools/cluster.sh) needs
#   tools/setup.sh --check        only what the build needs: name what is missing with its package, exit 1 if anything is
#   tools/setup.sh --list         all packages
# CC, PKG_CONFIG, HDF5_PC and SCALAPACK are taken from the environment, so a cluster's modules may replace Debian's packages.
set -eu
CC=${CC:-mpicc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
HDF5_PC=${HDF5_PC:-hdf5-openmpi}
SCALAPACK=${SCALAPACK:-scalapack-openmpi}

# when  probe  package  for what.   Probes: cmd:NAME  pc:PKG-CONFIG-NAME  inc:HEADER  py:MODULE  so:LIBRARY
table() {
    cat <<TABLE
build cmd:gcc                     gcc                     the C compiler
build inc:stdlib.h                libc6-dev               the C library
build cmd:make                    make                    make
build cmd:$PKG_CONFIG             pkg-config              finding HDF5
build cmd:$CC                     libopenmpi-dev          MPI
build pc:$HDF5_PC                 libhdf5-openmpi-dev     parallel HDF5
build inc:oneapi/dnnl/dnnl.h      libdnnl-dev             oneDNN, the network's matrix products
build pc:openblas                 libopenblas-openmp-dev  OpenBLAS
build so:$SCALAPACK                libscalapack-openmpi-dev ScaLAPACK
build inc:yaml.h                  libyaml-dev             decks
build inc:jansson.h               libjansson-dev          documents in JSON
build inc:unicase.h               libunistring-dev        words of documents
build inc:zlib.h                  zlib1g-dev              .gz input
build inc:bzlib.h               libbz2-dev              .bz2 input
build inc:lzma.h                  liblzma-dev             .xz input
build inc:zstd.h                  libzstd-dev             .zst input
build inc:xxhash.h                libxxhash-dev           checksums
build inc:Random123/philox.h      librandom123-dev        random numbers
build inc:hwloc.h                 libhwloc-dev            core binding
run   cmd:mpirun                  openmpi-bin             starting ranks
run   cmd:h5dump                  hdf5-tools              looking at results
run   py:h5py                     python3-h5py            reports and tests
run   py:matplotlib               python3-matplotlib      reports
test  cmd:prove                   perl                    running the tests
test  cmd:git                     git                     the build's commit id
test  cmd:pgrep                 procps                  finding the processes of a job
test  cmd:mandoc                  mandoc                  checking the man page
devel cmd:valgrind                valgrind                make check-valgrind
devel cmd:clang-format            clang-format            make format, make lint
devel cmd:clang-tidy              clang-tidy              make lint
devel cmd:cppcheck                cppcheck                make lint
devel cmd:shellcheck              shellcheck              make lint
devel cmd:strace                  strace                  make check-long
slurm cmd:slurmctld               slurmctld               the virtual cluster
slurm cmd:slurmd                  slurmd                  the virtual cluster
slurm cmd:sbatch                  slurm-client            the virtual cluster
slurm cmd:munged                  munge                   the virtual cluster
slurm cmd:ip                      iproute2                the virtual cluster
TABLE
}

# Debian's own interpreter has Debian's modules; another python3 in PATH may hide it.
python() { if [ -x /usr/bin/python3 ]; then /usr/bin/python3 "$@"; else python3 "$@"; fi; }

is_there() {
    local name=${1#*:}
    case $1 in
    cmd:*) command -v "$name" ;;
    pc:*) "$PKG_CONFIG" --exists "$name" ;;
    inc:*) echo "#include <$name>" | cc_or_gcc -E -o /dev/null - ;;
    so:*) echo 'int main(void) { return 0; }' | cc_or_gcc -xc - -o /dev/null -Wl,--no-as-needed -l"$name" ;;
    py:*) python -c "import importlib.util as u, sys; sys.exit(u.find_spec('$name') is None)" ;;
    esac >/dev/null 2>&1
}

cc_or_gcc() { if command -v "$CC" >/dev/null; then "$CC" "$@"; else gcc "$@"; fi; }

# Lines of the table whose probe fails; $1 is a regex for the first column.
missing() {
    table | grep -E "^($1) " | while read -r when probe package what; do
        is_there "$probe" || echo "$when $probe $package $what"
    done
}

check_build() {
    local lines packages
    lines=$(missing build)
    [ -n "$lines" ] || return 0
    packages=$(awk '{ printf " %s", $3 }' <<<"$lines")
    {
        echo "dcmpi: cannot build, something is missing:"
        while read -r _ probe package what; do
            printf '  %-28s needed for %s: Debian package %s\n' "${probe#*:}" "$what" "$package"
        done <<<"$lines"
        echo "Install it with \`make setup\` or: apt-get install$packages"
    } >&2
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        echo "dcmpi: setup needs root or sudo to run: $*" >&2
        return 1
    fi
}

apt_install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; }

# True if apt knows every package; a new machine or container has no package lists yet.
apt_knows() {
    local package
    for package; do apt-cache show "$package" >/dev/null 2>&1 || return 1; done
}

# $1: regex for the groups of the table
install_missing() {
    local packages still
    mapfile -t packages < <(missing "$1" | awk '{ print $3 }' | sort -u)
    [ ${#packages[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "dcmpi: this machine has no apt; install what corresponds to Debian's ${packages[*]}" >&2
        return 1
    fi
    echo "dcmpi: installing ${packages[*]}"
    apt_knows "${packages[@]}" || as_root apt-get update -q
    # Old lists name files that the archive no longer has: fetch new ones and try once more.
    apt_install "${packages[@]}" || { as_root apt-get update -q && apt_install "${packages[@]}"; }
    still=$(missing "$1")
    [ -z "$still" ] || { printf 'dcmpi: still missing after the installation:\n%s\n' "$still" >&2; return 1; }
}

case ${1:-} in
--check) check_build ;;
--list) table | awk '{ print $3 }' | sort -u ;;
--developer) install_missing 'build|run|test|devel' ;;
--cluster) install_missing 'build|run|test|slurm' ;;
'') install_missing 'build|run|test' ;;
*) echo "usage: tools/setup.sh [--developer | --cluster | --check | --list]" >&2; exit 2 ;;
esac
