/* The promise for sparse data: statistics, scaling, principal components and rows have the same bits for every number
 * of ranks and threads, from rows, columns or other types. Starts itself under mpirun ("t221_... digest FILE"), because
 * one job has one number of ranks. limit: 300 */
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "digest_help.h"
#include "t22_help.h"

enum { N = 5003, D = 40, SHARDS = 16 };

/* ---- Child: one line "digest ..." -------------------------------------------------------------------------------- */

/* The rows as they enter the network; the same for every order of the ranks. */
static int64_t digest_of_rows(dc_comm *comm, const dc_dataset *d)
{
    float row[D];
    int64_t sum = 0;
    const int64_t width = dc_dataset_width(d);
    for (int64_t i = 0; i < dc_part_rows(&d->part); i++) {
        dc_dataset_rows(d, i, 1, row);
        sum += (int64_t)(XXH3_64bits_withSeed(row, (size_t)width * sizeof *row, (uint64_t)(d->part.row_lo + i)) >> 16);
    }
    dc_comm_sum_i64(comm, &sum, 1);
    return sum;
}

static uint64_t digest_of(dc_comm *comm, const dc_dataset *d)
{
    const double numbers[] = {d->min, d->max, d->mean, d->scaled_min, d->scaled_max};
    const size_t bounds = d->clip_lo ? D * sizeof *d->clip_lo : 0;
    const uint64_t parts[] = {d->hash,
                              (uint64_t)d->nnz,
                              (uint64_t)d->csr.longest,
                              d->zeros_stay,
                              XXH3_64bits(numbers, sizeof numbers),
                              XXH3_64bits(d->shift, D * sizeof *d->shift),
                              XXH3_64bits(d->scale, D * sizeof *d->scale),
                              XXH3_64bits(d->clip_lo, bounds),
                              XXH3_64bits(d->clip_hi, bounds),
                              XXH3_64bits(d->outlying, strlen(d->outlying)),
                              (uint64_t)digest_of_rows(comm, d)};
    return XXH3_64bits(parts, sizeof parts);
}

static int print_digest(const char *path)
{
    static const dc_clip clips[] = {{.kind = DC_CLIP_NONE}, {DC_CLIP_QUANTILES, 0.01, 0}, {DC_CLIP_RANGE, 0.5, 3}};
    dc_comm *comm = NULL;
    uint64_t digest[DC_COUNT_OF(clips) * (DC_SCALE_PCA + 1)];
    size_t n = 0;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    for (dc_scale_kind k = DC_SCALE_NONE; k <= DC_SCALE_PCA; k++)
        for (size_t i = 0; i < DC_COUNT_OF(clips); i++) {
            dc_dataset *d = NULL;
            const dc_data_request request = {.path = path, .clip = clips[i], .scale = k, .pca = {{5, 0}, false}};
            if (dc_dataset_open(comm, &request, SHARDS, 7, 2, &d) != DC_OK) {
                fprintf(stderr, "%s\n", dc_error_text());
                return 1;
            }
            digest[n++] = digest_of(comm, d);
            dc_dataset_destroy(&d);
        }
    if (dc_comm_rank(comm) == 0) printf("digest %016llx\n", (unsigned long long)XXH3_64bits(digest, sizeof digest));
    dc_comm_destroy(&comm);
    return 0;
}

/* ---- Parent ------------------------------------------------------------------------------------------------------ */

int main(int argc, char **argv)
{
    static const sparse_layout how[] = {{DC_H5_I64, DC_H5_I32, DC_H5_F32, false, false, false},
                                        {DC_H5_I32, DC_H5_I64, DC_H5_F64, false, false, true},
                                        {DC_H5_I64, DC_H5_I32, DC_H5_F32, true, false, false}};
    static const struct {
        int P, T, layout;
    } runs[] = {{1, 1, 0}, {2, 1, 1}, {3, 2, 0}, {5, 1, 2}};
    if (argc == 3 && strcmp(argv[1], "digest") == 0) return print_digest(argv[2]);
    char path[3][CHECK_PATH_MAX], first[32] = "", other[32];
    sparse_rows rows;
    sparse_rows_make(N, D, false, &rows);
    for (int i = 0; i < 3; i++) {
        const int fd = mkstemp(check_temporary(path[i]));
        CHECK(fd >= 0 && close(fd) == 0);
        sparse_file(path[i], &rows, &how[i]);
    }
    for (size_t i = 0; i < DC_COUNT_OF(runs); i++) {
        digest_under_mpirun(argv[0], path[runs[i].layout], runs[i].P, runs[i].T, other);
        printf("# %d ranks x %d threads: %s\n", runs[i].P, runs[i].T, other);
        if (i == 0) memcpy(first, other, sizeof first);
        CHECK(strlen(first) == 16 && strcmp(first, other) == 0);
    }
    for (int i = 0; i < 3; i++) CHECK(unlink(path[i]) == 0);
    sparse_rows_free(&rows);
    return check_done();
}
