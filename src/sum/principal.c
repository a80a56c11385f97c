/* Principal components: the eigenproblem of the covariance; of fewer rows than columns that of the products of all
 * pairs of rows minus their mean, which has the same eigenvalues but for zeros. Rank 0 alone holds the matrix and
 * solves it, in one thread, so that the bits do not depend on the number of ranks; the others get the directions that
 * are wanted. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/moments.h"
#include "dual.h"

/* A and w only rank 0 holds; eigenvalues ascending. */
typedef struct {
    int64_t order; /* of the matrix: the smaller of rows and columns */
    double *A, *w;
} problem;

static int64_t order_of(int64_t N, int64_t d)
{
    return DC_MIN(N, d);
}

bool dc_principal_fits(dc_gidx N, int64_t d)
{
    return order_of(N, d) <= DC_PRINCIPAL_MAX;
}

static dc_status take_matrix(problem *p)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)p->order;
    DC_TRY(dc_mem_alloc(&p->A, dc_mul_size(n, n), sizeof *p->A, "covariance"));
    DC_TRY(dc_mem_alloc(&p->w, n, sizeof *p->w, "covariance"));
out:
    return st;
}

/* Eigenvalues of zero come out as about d * epsilon times the largest. */
double dc_principal_rounding(int64_t d, double largest)
{
    static const double SLACK = 64;
    return SLACK * (double)d * DBL_EPSILON * largest;
}

static int64_t count_varying(const problem *p)
{
    const int64_t d = p->order;
    const double least = dc_principal_rounding(d, p->w[d - 1]);
    int64_t n = 0;
    while (n < d && p->w[d - 1 - n] > least && p->w[d - 1 - n] > 0) n++;
    return n;
}

static int64_t choose(const problem *p, const dc_principal *out, const dc_principal_wanted *wanted)
{
    double sum = 0;
    if (wanted->components > 0) return DC_MIN(wanted->components, p->order);
    for (int64_t k = 0; k < out->varying; k++) {
        sum += p->w[p->order - 1 - k];
        if (sum > wanted->variance * out->total) return k + 1;
    }
    return out->varying;
}

static dc_status solve(problem *p, const dc_principal_wanted *wanted, dc_principal *out)
{
    const int64_t n = p->order;
    out->total = 0;
    for (int64_t c = 0; c < n; c++) out->total += p->A[c * n + c];
    if (out->total <= wanted->noise) return DC_OK;
    const dc_status st = dc_eigh(n, p->A, p->w);
    if (st != DC_OK) return st;
    out->varying = count_varying(p);
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

/* The eigenvectors are the directions. */
static void take_vectors(const problem *p, dc_principal *out)
{
    const int64_t d = out->d;
    for (int64_t k = 0; k < out->k; k++) {
        const double *v = p->A + (d - 1 - k) * d;
        for (int64_t c = 0; c < d; c++) out->direction[k * d + c] = (float)v[c];
    }
}

/* ---- Fewer rows than columns ------------------------------------------------------------------------------------- */

static bool is_dual(const dc_rows *rows)
{
    return rows->part->N < rows->d;
}

/* Directions with a variance v that come from the eigenvectors of all pairs of rows are orthogonal to about epsilon
 * times (largest / v), and without variance they are rounding. Where that shows in floats, they are made orthogonal one
 * after the other, so that the first, which are right, stay. */
static bool is_skew(const dc_principal *p)
{
    static const double LEAST = 1e-8;
    return p->variance[p->k - 1] <= LEAST * p->variance[0];
}

/* W[d x k]: columns become directions, with the sign rule. x[d]: scratch. */
static void take_columns(const double *W, double *x, dc_principal *out)
{
    const int64_t d = out->d, k = out->k;
    for (int64_t j = 0; j < k; j++) {
        for (int64_t c = 0; c < d; c++) x[c] = W[c * k + j];
        dc_orient(d, x);
        for (int64_t c = 0; c < d; c++) out->direction[j * d + c] = (float)x[c];
    }
}

/* Turns the eigenvectors of the problem, on rank 0 in descending order, into directions there. */
static dc_status turn(dc_comm *comm, const dc_rows *rows, const problem *p, dc_principal *out)
{
    dc_status st = DC_OK;
    double *V = NULL, *W = NULL, *x = NULL;
    const bool root = dc_comm_rank(comm) == 0;
    const int64_t n = p->order;
    const size_t k = root ? (size_t)out->k : 0, d = root ? (size_t)out->d : 0;
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&V, k, dc_mul_size((size_t)n, sizeof *V), "principal components"));
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&W, d, dc_mul_size(k, sizeof *W), "principal components"));
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&x, d, sizeof *x, "principal components"));
    for (size_t j = 0; j < k; j++) memcpy(V + (int64_t)j * n, p->A + (n - 1 - (int64_t)j) * n, (size_t)n * sizeof *V);
    DC_TRY(dc_dual_directions(comm, rows, out->mean, out->k, V, W));
    DC_TRY_ALL(comm, root && is_skew(out) ? dc_orthonormalize(out->d, out->k, W) : DC_OK);
    if (root) take_columns(W, x, out);
out:
    dc_mem_free(&V);
    dc_mem_free(&W);
    dc_mem_free(&x);
    return st;
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

/* Leaves zeros where nothing varies, which shows before products of many columns are formed. */
static dc_status fill_matrix(dc_comm *comm, const dc_rows *rows, double noise, problem *p, dc_principal *out)
{
    dc_status st = DC_OK;
    double total;
    if (!is_dual(rows)) return dc_moments(comm, rows, out->mean, p->A);
    DC_TRY(dc_moments_total(comm, rows, out->mean, &total));
    if (!(total <= noise)) st = dc_dual_products(comm, rows, out->mean, p->A);
out:
    return st;
}

static void take_variances(const problem *p, dc_principal *out)
{
    for (int64_t k = 0; k < out->k; k++) out->variance[k] = DC_MAX(p->w[p->order - 1 - k], 0);
}

dc_status dc_principal_create(dc_comm *comm, const dc_rows *rows, const dc_principal_wanted *wanted, dc_principal *out)
{
    dc_status st = DC_OK;
    problem p = {.order = order_of(rows->part->N, rows->d)};
    const bool root = dc_comm_rank(comm) == 0;
    *out = (dc_principal){.d = rows->d};
    DC_ASSERT(p.order <= DC_PRINCIPAL_MAX && wanted->components <= rows->d);
    DC_TRY_ALL(comm, dc_mem_alloc(&out->mean, (size_t)rows->d, sizeof *out->mean, "principal components"));
    DC_TRY_ALL(comm, root ? take_matrix(&p) : DC_OK);
    DC_TRY(fill_matrix(comm, rows, wanted->noise, &p, out));
    DC_TRY_ALL(comm, root ? solve(&p, wanted, out) : DC_OK);
    dc_comm_bcast(comm, &out->k, sizeof out->k, 0);
    dc_comm_bcast(comm, &out->varying, sizeof out->varying, 0);
    dc_comm_bcast(comm, &out->total, sizeof out->total, 0);
    DC_TRY_ALL(comm, take_results(out));
    if (root) take_variances(&p, out);
    dc_comm_bcast(comm, out->variance, (size_t)out->k * sizeof *out->variance, 0);
    if (is_dual(rows) && out->k > 0)
        DC_TRY(turn(comm, rows, &p, out));
    else if (root)
        take_vectors(&p, out);
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
    const double results = sizeof(double) * (double)(d + k) + sizeof(float) * (double)k * (double)d;
    if (part->N >= d) return results + dc_moments_bytes(part, d);
    return results + fmax(dc_moments_total_bytes(part, d), dc_dual_bytes(part, d, k));
}

double dc_principal_root_bytes(const dc_part *part, int64_t d, int64_t k)
{
    const int64_t n = order_of(part->N, d);
    const double matrix = sizeof(double) * (double)n * ((double)n + 1);
    if (part->N >= d) return matrix + dc_eigh_bytes(n);
    const double basis = sizeof(double) * ((double)k * (double)(n + d) + (double)d);
    const double turned = basis + fmax(dc_dual_root_bytes(part, d, k), dc_orthonormalize_bytes(d, k));
    return matrix + fmax(dc_eigh_bytes(n), fmax(dc_dual_root_bytes(part, d, 0), turned));
}
