/* Principal components: the eigenproblem of the covariance. Rank 0 alone holds the matrix and solves it, in one thread,
 * so that the bits do not depend on the number of ranks; the others get the directions that are wanted. */
#include <float.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/moments.h"

/* What only rank 0 holds; eigenvalues ascending. */
typedef struct {
    double *A, *w;
} problem;

static dc_status take_matrix(problem *p, int64_t d)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&p->A, dc_mul_size((size_t)d, (size_t)d), sizeof *p->A, "covariance"));
    DC_TRY(dc_mem_alloc(&p->w, (size_t)d, sizeof *p->w, "covariance"));
out:
    return st;
}

/* Eigenvalues of zero come out as about d * epsilon times the largest. */
double dc_principal_rounding(int64_t d, double largest)
{
    static const double SLACK = 64;
    return SLACK * (double)d * DBL_EPSILON * largest;
}

static int64_t count_varying(const problem *p, int64_t d)
{
    const double least = dc_principal_rounding(d, p->w[d - 1]);
    int64_t n = 0;
    while (n < d && p->w[d - 1 - n] > least && p->w[d - 1 - n] > 0) n++;
    return n;
}

static int64_t choose(const problem *p, const dc_principal *out, const dc_principal_wanted *wanted)
{
    double sum = 0;
    if (wanted->components > 0) return wanted->components;
    for (int64_t k = 0; k < out->varying; k++) {
        sum += p->w[out->d - 1 - k];
        if (sum > wanted->variance * out->total) return k + 1;
    }
    return out->varying;
}

static dc_status solve(problem *p, const dc_principal_wanted *wanted, dc_principal *out)
{
    const int64_t d = out->d;
    out->total = 0;
    for (int64_t c = 0; c < d; c++) out->total += p->A[c * d + c];
    const dc_status st = dc_eigh(d, p->A, p->w);
    if (st != DC_OK) return st;
    out->varying = count_varying(p, d);
    out->k = choose(p, out, wanted);
    return DC_OK;
}

static dc_status take_results(dc_principal *out)
{
    dc_status st = DC_OK;
    const size_t k = (size_t)out->k;
    DC_TRY(dc_mem_alloc(&out->variance, k, sizeof *out->variance, "principal components"));
    DC_TRY(
        dc_mem_alloc(&out->direction, dc_mul_size(k, (size_t)out->d), sizeof *out->direction, "principal components"));
out:
    return st;
}

static void take_top(const problem *p, dc_principal *out)
{
    const int64_t d = out->d;
    for (int64_t k = 0; k < out->k; k++) {
        const double *v = p->A + (d - 1 - k) * d;
        out->variance[k] = DC_MAX(p->w[d - 1 - k], 0);
        for (int64_t c = 0; c < d; c++) out->direction[k * d + c] = (float)v[c];
    }
}

dc_status dc_principal_create(dc_comm *comm, const dc_rows *rows, const dc_principal_wanted *wanted, dc_principal *out)
{
    dc_status st = DC_OK;
    problem p = {0};
    const bool root = dc_comm_rank(comm) == 0;
    *out = (dc_principal){.d = rows->d};
    DC_ASSERT(rows->d <= DC_PRINCIPAL_MAX && wanted->components <= rows->d);
    DC_TRY_ALL(comm, dc_mem_alloc(&out->mean, (size_t)rows->d, sizeof *out->mean, "principal components"));
    DC_TRY_ALL(comm, root ? take_matrix(&p, rows->d) : DC_OK);
    DC_TRY(dc_moments(comm, rows, out->mean, p.A));
    DC_TRY_ALL(comm, root ? solve(&p, wanted, out) : DC_OK);
    dc_comm_bcast(comm, &out->k, sizeof out->k, 0);
    dc_comm_bcast(comm, &out->varying, sizeof out->varying, 0);
    dc_comm_bcast(comm, &out->total, sizeof out->total, 0);
    DC_TRY_ALL(comm, take_results(out));
    if (root) take_top(&p, out);
    dc_comm_bcast(comm, out->variance, (size_t)out->k * sizeof *out->variance, 0);
    dc_comm_bcast(comm, out->direction, (size_t)(out->k * out->d) * sizeof *out->direction, 0);
out:
    dc_mem_free(&p.A);
    dc_mem_free(&p.w);
    return st;
}

void dc_principal_release(dc_principal *p)
{
    dc_mem_free(&p->mean);
    dc_mem_free(&p->variance);
    dc_mem_free(&p->direction);
}

double dc_principal_bytes(const dc_part *part, int64_t d, int64_t k)
{
    return dc_moments_bytes(part, d) + sizeof(double) * (double)(d + k) + sizeof(float) * (double)k * (double)d;
}

double dc_principal_root_bytes(int64_t d)
{
    return sizeof(double) * (double)d * ((double)d + 1) + dc_eigh_bytes(d);
}
