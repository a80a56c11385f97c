"""Spack recipe of dcmpi.

From a source tree (nothing is downloaded):

    spack repo add packaging/spack
    spack dev-build --source-path . dcmpi@0.1.0

From an archive that `make dist` made, in the folder where spack is started:

    spack install --no-checksum dcmpi@0.1.0
"""

import os

from spack.package import *

try:
    from spack_repo.builtin.build_systems.makefile import MakefilePackage
except ImportError:
    pass  # before Spack 1.0 it comes with spack.package


class Dcmpi(MakefilePackage):
    """Deep embedded clustering of large data sets with MPI and OpenMP: an autoencoder and a clustering are trained
    together, rows are spread over ranks, results do not depend on the number of ranks."""

    url = "file://{0}/dcmpi-0.1.0.tar.gz".format(os.getcwd())
    manual_download = True

    version("0.1.0")

    variant(
        "march",
        default="native",
        values=("native", "x86-64-v3", "x86-64-v4"),
        multi=False,
        description="Instruction set; native if login and compute nodes are alike",
    )

    depends_on("c", type="build")
    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("hdf5+mpi@1.10:")
    depends_on("onednn@2.6: cpu_runtime=omp")
    depends_on("openblas threads=openmp")
    depends_on("netlib-scalapack")
    depends_on("libyaml")
    depends_on("jansson")
    depends_on("libunistring")
    depends_on("zlib-api")
    depends_on("bzip2")
    depends_on("xz")
    depends_on("zstd")
    depends_on("xxhash")
    depends_on("random123")
    depends_on("hwloc@2:")

    @property
    def options(self):
        return [
            "CC={0}".format(self.spec["mpi"].mpicc),
            "ARCH={0}".format(self.spec.variants["march"].value),
            "HDF5_PC=hdf5",
            "SCALAPACK=scalapack",
        ]

    def build(self, spec, prefix):
        make(*self.options)

    def install(self, spec, prefix):
        make("install", "PREFIX={0}".format(prefix), *self.options)

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def selftest(self):
        Executable(join_path(self.prefix.bin, "dcmpi"))("selftest")
