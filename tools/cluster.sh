#!/usr/bin/env bash
# A Slurm cluster on one machine: hosts made of Linux namespaces, with real munged, slurmctld and slurmd. For trying job
# scripts, requeueing and dying nodes without a cluster. Needs root, munge, slurmctld, slurmd, slurm-client and iproute2
# (tools/setup.sh --cluster installs them).
#
#     tools/cluster.sh up [--while PID] [N]   start N nodes n1 ... nN (default 2) and the login and controller host ctl; with
#                                             --while the cluster goes down by itself when that process has ended
#     tools/cluster.sh run COMMAND ...        run a command, say, sbatch, on ctl, in the same working directory
#     tools/cluster.sh on HOST COMMAND ...    run a command on another host
#     tools/cluster.sh off NODE               power failure: the link goes first, then all processes
#     tools/cluster.sh boot NODE              start a node again
#     tools/cluster.sh down                   end the whole cluster, also after a start that failed halfway
#     tools/cluster.sh check                  exit 0 if a cluster can run here; else one line says why not
#
# DCMPI_CLUSTER names the cluster's directory (default /var/tmp/dcmpi-cluster); different directories are different clusters.
# `up` makes it, `down` removes it with all that is in it. All hosts see the file systems of the machine, but each has a /tmp
# and /dev/shm of its own: program, data and working directory must lie outside /tmp, for example in the cluster's directory.
#
# Every host is one process tree in PID, network, mount, UTS and IPC namespaces of its own. Only the id of its first process is
# stored (hosts/NAME.pid); when that ends, the kernel ends the rest of the host and removes its interfaces and mounts.
# Nothing of the machine's own network, mounts or /etc/hosts is changed.
set -u

dir=$(realpath -m "${DCMPI_CLUSTER:-/var/tmp/dcmpi-cluster}")
self=$(realpath "${BASH_SOURCE[0]}")
net=10.77.0
export SLURM_CONF=$dir/slurm.conf

die() {
    echo "cluster.sh: $*" >&2
    exit 1
}

# wait_for SECONDS COMMAND ...: until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# ---------------------------------------------------------------- what is there
# Field 22 of /proc/PID/stat: if a process id was used again, the start time differs.
start_time() { sed -E 's/.*\) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# Prints the process id of a host that is up.
pid_of() {
    local pid started
    { read -r pid started <"$dir/hosts/$1.pid"; } 2>/dev/null || return 1
    [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

is_down() { ! pid_of "$1" >/dev/null; }
host_names() { (cd "$dir/hosts" 2>/dev/null && for file in *.pid; do echo "${file%.pid}"; done) | grep -v '^\*$'; }
# inside HOST COMMAND ...: in the host's root folder.
inside() {
    local pid
    pid=$(pid_of "$1") || die "host $1 is not up"
    shift
    nsenter --target "$pid" --mount --uts --ipc --net --pid -- "$@"
}
address_of() { if [ "$1" = ctl ]; then echo $net.254; else echo $net."${1#n}"; fi; }

check() {
    local name
    [ "$(id -u)" = 0 ] || die "a virtual cluster needs root"
    for name in munged slurmctld slurmd sbatch ip; do
        command -v $name >/dev/null || die "$name is not installed (tools/setup.sh --cluster)"
    done
    unshare --fork --pid --net --mount --uts --ipc sh -c 'mount -t proc proc /proc && mount -t tmpfs tmpfs /tmp &&
        ip link add br0 type bridge && ip link add v0 type veth peer name v1 && runuser -u munge true' >/dev/null 2>&1 ||
        die "this machine does not allow namespaces, mounts, bridges, veth pairs or other users"
}

# ---------------------------------------------------------------- the hosts, seen from inside
# First process of host NAME. Before /proc is mounted anew, it shows the ids that the machine outside uses.
host_main() {
    local name=$1 pid
    cd / || exit
    read -r pid _ </proc/self/stat
    echo "$pid $(start_time "$pid")" >"$dir/hosts/$name.new" && mv "$dir/hosts/$name.new" "$dir/hosts/$name.pid"
    hostname "$name" && mount -t proc proc /proc && mount -t tmpfs -o mode=1777 tmpfs /tmp &&
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm && mount --bind "$dir/etc-hosts" /etc/hosts && ip link set lo up || exit
    if [ "$name" = ctl ]; then start_controller; else start_node "$name"; fi
    # As in every first process, orphans are collected here.
    while true; do wait; sleep 1; done
}

# The nodes are plugged into the bridge, which has the controller's address.
start_controller() {
    ip link add br0 type bridge && ip addr add "$(address_of ctl)/24" dev br0 && ip link set br0 up || exit
    runuser -u munge -- mungekey --keyfile "$dir/munge/key" || exit
    start_munge ctl || exit
    slurmctld -D -c &
}

start_node() {
    wait_for 20 ip link show eth0 >/dev/null || exit
    # After a power failure the others still know the interface by its old hardware address.
    ip link set eth0 address "$(printf '02:00:00:00:00:%02x' "${1#n}")" up &&
        ip addr add "$(address_of "$1")/24" dev eth0 || exit
    start_munge "$1" || exit
    # As on a node without a disk: sockets and jobs from before a power failure would be in the way.
    rm -rf --one-file-system "$dir/spool/$1"
    mkdir "$dir/spool/$1"
    slurmd -D -N "$1" &
}

# Each host has a munged of its own at the same path, as on separate machines.
start_munge() {
    mkdir -p /tmp/.munge && chown munge: /tmp/.munge && chmod 755 /tmp/.munge
    runuser -u munge -- munged --key-file "$dir/munge/key" --socket /tmp/.munge/socket --pid-file /tmp/.munge/pid \
        --seed-file /tmp/.munge/seed --log-file "$dir/munge/$1.log"
}

# ---------------------------------------------------------------- up and down
write_config() {
    local nodes=$1 i
    {
        echo "127.0.0.1 localhost"
        echo "$(address_of ctl) ctl"
        for ((i = 1; i <= nodes; i++)); do echo "$(address_of n$i) n$i"; done
    } >"$dir/etc-hosts"
    # A dead node is noticed within half a minute. Each has two CPUs, whatever the machine has.
    cat >"$SLURM_CONF" <<CONF
ClusterName=dcmpi
SlurmctldHost=ctl($(address_of ctl))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=/tmp/.munge/socket
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/state/slurmctld.pid
SlurmdPidFile=$dir/spool/%n/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SlurmdTimeout=30
ReturnToService=2
JobRequeue=1
KillWait=10
CompleteWait=0
NodeName=n[1-$nodes] NodeAddr=$net.[1-$nodes] CPUs=2 RealMemory=16384 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

# What a host prints goes to log/NAME.out.
start_host() {
    local name=$1
    rm -f "$dir/hosts/$name.pid"
    setsid unshare --fork --pid --net --mount --uts --ipc bash "$self" __host "$name" </dev/null >"$dir/log/$name.out" 2>&1 &
    wait_for 10 pid_of "$name" >/dev/null || die "host $name did not start: see $dir/log/$name.out"
}

# A cable between a node and the bridge.
plug_in() {
    local name=$1 ctl
    ctl=$(pid_of ctl) || die "ctl is not up"
    ip link add "v$name" netns "$ctl" type veth peer name eth0 netns "$(pid_of "$name")" || die "no cable to $name"
    nsenter --target "$ctl" --net ip link set "v$name" master br0 up || die "no link to $name"
}

# After a short power failure the controller may not know yet that the node was away; a job may be waiting for it already.
is_ready() {
    grep -q "slurmd started" "$dir/log/$1.out" &&
        [[ $(inside ctl sinfo -h -n "$1" -o %T) =~ ^(idle|planned|mixed|allocated|completing)$ ]]
}

boot() {
    is_down "$1" || die "$1 is up"
    start_host "$1"
    plug_in "$1"
    wait_for 60 is_ready "$1" || die "$1 is not ready: see $dir/log/$1.log and $dir/log/$1.out"
}

up() {
    local owner='' nodes name
    if [ "${1:-}" = --while ]; then owner=$2 && shift 2; fi
    nodes=${1:-2}
    [[ $nodes =~ ^[1-9][0-9]?$ ]] || die "the number of nodes is 1 to 99"
    check
    [[ $dir/ != /tmp/* ]] || die "$dir: hosts have a /tmp of their own; choose another place"
    mkdir "$dir" 2>/dev/null || die "$dir exists: tools/cluster.sh down, or set DCMPI_CLUSTER"
    write_config "$nodes" # first: by it `down` knows the folder
    { mkdir "$dir"/{hosts,log,state,spool,munge,work} && chown munge: "$dir/munge"; } || die "cannot write to $dir"
    [ -z "$owner" ] || { down_after "$owner" & }
    start_host ctl
    wait_for 20 inside ctl sinfo >/dev/null || die "slurmctld did not start: see $dir/log"
    for ((i = 1; i <= nodes; i++)); do
        start_host n$i
        plug_in n$i
    done
    for ((i = 1; i <= nodes; i++)); do wait_for 60 is_ready n$i || die "n$i is not ready: see $dir/log/n$i.log"; done
}

down_after() {
    while kill -0 "$1" 2>/dev/null && [ -d "$dir" ]; do sleep 1; done
    down
}

# Ends a host and waits until it is gone.
kill_host() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill -KILL "$pid"
    wait_for 10 is_down "$1" || die "$1 (process $pid) does not end"
}

off() {
    local ctl
    ctl=$(pid_of ctl) && nsenter --target "$ctl" --net ip link delete "v$1"
    kill_host "$1"
}

# The nodes go before the controller.
down() {
    local name
    [ -d "$dir" ] || return 0
    # The whole folder is removed, so it must be one that `up` made.
    grep -qs '^ClusterName=dcmpi$' "$SLURM_CONF" || die "$dir is not a cluster's directory: nothing was removed"
    for name in $(host_names | sort -r) ctl; do kill_host "$name"; done
    rm -rf --one-file-system "$dir"
}

# on HOST COMMAND ...
on() {
    local host=$1
    shift
    inside "$host" bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

# The default is in a folder that everybody may write to, and this script trusts its content: process ids, a configuration.
[ ! -e "$dir" ] || [ -O "$dir" ] || die "$dir is another user's: set DCMPI_CLUSTER"
verb=${1:-}
[ $# = 0 ] || shift
case $verb in
up | down | on | off | boot | check) "$verb" "$@" ;;
run) on ctl "$@" ;;
__host) host_main "$@" ;;
*) sed -n '/^#!/d;/^#/!q;s/^# \?//p' "$self" >&2; exit 2 ;;
esac
