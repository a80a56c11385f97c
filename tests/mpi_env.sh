# shellcheck shell=bash
# How tests start MPI: read by run.sh and lib.sh.
# One node only, so that mpirun looks for no other launcher and no network (this takes a third of the start-up time). Allowed:
# more ranks than cores, and root, as in containers. Off: cross-memory attach, which containers forbid.
export MPIRUN_FLAGS="--oversubscribe --bind-to none"
export OMPI_MCA_plm=isolated OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader OMPI_MCA_btl_vader_single_copy_mechanism=none
# Nothing here needs the topology of PCI, GPUs and displays, the search for which takes half of the start-up time.
export HWLOC_COMPONENTS=-linuxio HWLOC_PLUGINS_PATH=/nowhere
# Ranks and threads that wait let others run. If there are more of them than cores, or the machine is busy, spinning would
# make the tests ten times slower.
export OMPI_MCA_mpi_yield_when_idle=1 OMP_WAIT_POLICY=passive
# A job that failed ends in 0.2 s instead of 2 s.
export OMPI_MCA_odls_base_sigkill_timeout=0
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
# Leaks that libraries leave at exit are not ours.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
