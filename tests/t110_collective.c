/* The collectives against what plain arithmetic says, once in one message and once in pieces of 16 bytes, which is the
 * path of counts beyond 2^31; and the traffic counters.
 * ranks: 1 2 3 5 */
#include <stdlib.h>

#include "../src/comm/comm_mpi.h"
#include "check.h"

enum { N_MAX = 1001 };

/* Value that rank r brings at index i: small integers, so that sums are exact in every order. */
static int value(int r, size_t i)
{
    return (int)((i * 7 + (size_t)r * 13) % 101) - 50;
}
static int sum_of(int P, size_t i)
{
    int sum = 0;
    for (int r = 0; r < P; r++) sum += value(r, i);
    return sum;
}
static int extreme_of(int P, size_t i, int sign)
{
    int best = value(0, i);
    for (int r = 1; r < P; r++)
        if (sign * value(r, i) > sign * best) best = value(r, i);
    return best;
}

#define CHECK_REDUCTION(type, call, expected)                                                                          \
    do {                                                                                                               \
        static type x_[N_MAX];                                                                                         \
        int wrong_ = 0;                                                                                                \
        for (size_t i = 0; i < n; i++) x_[i] = (type)value(me, i);                                                     \
        call(comm, x_, n);                                                                                             \
        for (size_t i = 0; i < n; i++) wrong_ += x_[i] != (type)(expected);                                            \
        CHECK_INT(wrong_, 0);                                                                                          \
    } while (0)

static void check_reductions(dc_comm *comm, size_t n)
{
    const int P = dc_comm_size(comm), me = dc_comm_rank(comm);
    CHECK_REDUCTION(float, dc_comm_sum_f32, sum_of(P, i));
    CHECK_REDUCTION(double, dc_comm_sum_f64, sum_of(P, i));
    CHECK_REDUCTION(int64_t, dc_comm_sum_i64, sum_of(P, i));
    CHECK_REDUCTION(double, dc_comm_max_f64, extreme_of(P, i, 1));
    CHECK_REDUCTION(double, dc_comm_min_f64, extreme_of(P, i, -1));
    CHECK_REDUCTION(int64_t, dc_comm_max_i64, extreme_of(P, i, 1));
    CHECK_REDUCTION(int64_t, dc_comm_min_i64, extreme_of(P, i, -1));
}

static void check_bcast(dc_comm *comm, size_t bytes)
{
    unsigned char data[N_MAX];
    int wrong = 0;
    for (int root = 0; root < dc_comm_size(comm); root++) {
        for (size_t i = 0; i < bytes; i++) data[i] = (unsigned char)value(dc_comm_rank(comm), i);
        dc_comm_bcast(comm, data, bytes, root);
        for (size_t i = 0; i < bytes; i++) wrong += data[i] != (unsigned char)value(root, i);
    }
    CHECK_INT(wrong, 0);
}

/* Bytes that rank `from` has for rank `to`: sometimes none, and never a multiple of the piece. */
static size_t bytes_between(int from, int to)
{
    return (size_t)((from * 5 + to * 3) % 4) * 37;
}

static void check_allgatherv(dc_comm *comm)
{
    const int P = dc_comm_size(comm), me = dc_comm_rank(comm);
    unsigned char send[200], recv[16 * 200];
    size_t counts[16], at = 0;
    int wrong = 0;
    for (int r = 0; r < P; r++) counts[r] = bytes_between(r, 1);
    for (size_t i = 0; i < counts[me]; i++) send[i] = (unsigned char)value(me, i);
    dc_comm_allgatherv(comm, send, recv, counts);
    for (int r = 0; r < P; r++)
        for (size_t i = 0; i < counts[r]; i++) wrong += recv[at++] != (unsigned char)value(r, i);
    CHECK_INT(wrong, 0);
}

static void check_gatherv(dc_comm *comm)
{
    const int P = dc_comm_size(comm), me = dc_comm_rank(comm);
    unsigned char send[200], recv[16 * 200];
    size_t counts[16];
    int wrong = 0;
    for (int r = 0; r < P; r++) counts[r] = bytes_between(r, 1);
    for (size_t i = 0; i < counts[me]; i++) send[i] = (unsigned char)value(me, i);
    for (int root = 0; root < P; root++) {
        const uint64_t sent = dc_comm_traffic_of(comm, DC_COMM_GATHERV).bytes;
        size_t at = 0;
        memset(recv, 0xee, sizeof recv);
        dc_comm_gatherv(comm, send, me == root ? recv : NULL, counts, root);
        for (int r = 0; me == root && r < P; r++)
            for (size_t i = 0; i < counts[r]; i++) wrong += recv[at++] != (unsigned char)value(r, i);
        wrong += recv[at] != 0xee;
        wrong += dc_comm_traffic_of(comm, DC_COMM_GATHERV).bytes != sent + (me == root ? 0 : counts[me]);
    }
    CHECK_INT(wrong, 0);
}

static void check_alltoallv(dc_comm *comm)
{
    const int P = dc_comm_size(comm), me = dc_comm_rank(comm);
    unsigned char send[16 * 200], recv[16 * 200];
    size_t send_counts[16], recv_counts[16], at = 0;
    int wrong = 0;
    for (int r = 0; r < P; r++) {
        send_counts[r] = bytes_between(me, r);
        recv_counts[r] = bytes_between(r, me);
        for (size_t i = 0; i < send_counts[r]; i++) send[at++] = (unsigned char)value(me * 16 + r, i);
    }
    dc_comm_alltoallv(comm, send, send_counts, recv, recv_counts);
    at = 0;
    for (int r = 0; r < P; r++)
        for (size_t i = 0; i < recv_counts[r]; i++) wrong += recv[at++] != (unsigned char)value(r * 16 + me, i);
    CHECK_INT(wrong, 0);
}

static void check_all(dc_comm *comm)
{
    const size_t sizes[] = {0, 1, 3, 17, 1000};
    for (size_t i = 0; i < DC_COUNT_OF(sizes); i++) {
        check_reductions(comm, sizes[i]);
        check_bcast(comm, sizes[i]);
    }
    check_allgatherv(comm);
    check_gatherv(comm);
    check_alltoallv(comm);
}

static void check_place(dc_comm *comm)
{
    const int P = dc_comm_size(comm);
    int64_t sums[2] = {dc_comm_rank(comm), dc_comm_node_rank(comm) == 0};
    dc_comm_sum_i64(comm, sums, 2);
    CHECK_INT(sums[0], P * (P - 1) / 2);
    CHECK_INT(sums[1], dc_comm_node_count(comm));
    CHECK(dc_comm_node_size(comm) >= 1 && dc_comm_node_size(comm) <= P);
    CHECK(dc_comm_host(comm)[0] != '\0');
}

static void check_traffic(dc_comm *comm)
{
    const dc_comm_traffic before = dc_comm_traffic_total(comm);
    const dc_comm_traffic reduced = dc_comm_traffic_of(comm, DC_COMM_ALLREDUCE);
    double x[10] = {0};
    dc_comm_sum_f64(comm, x, 10);
    dc_comm_barrier(comm);
    const dc_comm_traffic after = dc_comm_traffic_total(comm);
    CHECK_INT(after.calls - before.calls, 2);
    CHECK_INT(after.bytes - before.bytes, 80);
    CHECK_INT(dc_comm_traffic_of(comm, DC_COMM_ALLREDUCE).bytes - reduced.bytes, 80);
    CHECK(after.seconds >= before.seconds);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    check_place(comm);
    check_all(comm);
    dc_comm_set_piece_bytes(comm, 16);
    const uint64_t allocations = dc_mem_alloc_count();
    check_all(comm);
    CHECK_INT(dc_mem_alloc_count(), allocations);
    check_traffic(comm);
    return check_done_all(&comm);
}
