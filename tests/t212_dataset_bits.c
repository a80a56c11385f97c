/* The promise for data: statistics, scaling, principal components, checksum and labels have the same bits for every
 * number of ranks and threads. Starts itself under mpirun ("t212_... digest FILE"), because one job has one number of
 * ranks. limit: 300 */
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "check.h"
#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/rng.h"
#include "digest_help.h"

enum { N = 5003, D = 37, SHARDS = 16, SOURCES = 3 };

/* ---- Child: one line "digest ..." -------------------------------------------------------------------------------- */

/* Components of all rows; the same for every order of the ranks. */
static int64_t digest_of_components(dc_comm *comm, const dc_dataset *d)
{
    int64_t sum = 0;
    const size_t bytes = (size_t)d->pca.k * sizeof *d->Z;
    for (int64_t i = 0; d->Z && i < dc_part_rows(&d->part); i++)
        sum += (int64_t)(XXH3_64bits_withSeed(d->Z + i * d->pca.k, bytes, (uint64_t)(d->part.row_lo + i)) >> 16);
    dc_comm_sum_i64(comm, &sum, 1);
    return sum;
}

static uint64_t digest_of(dc_comm *comm, const dc_dataset *d)
{
    const double numbers[3] = {d->min, d->max, d->mean};
    const size_t bounds = d->clip_lo ? (size_t)d->D * sizeof *d->clip_lo : 0;
    const uint64_t parts[] = {d->hash,
                              (uint64_t)d->C,
                              XXH3_64bits(numbers, sizeof numbers),
                              XXH3_64bits(d->shift, (size_t)d->D * sizeof *d->shift),
                              XXH3_64bits(d->scale, (size_t)d->D * sizeof *d->scale),
                              XXH3_64bits(d->clip_lo, bounds),
                              XXH3_64bits(d->clip_hi, bounds),
                              XXH3_64bits(d->pca.variance, (size_t)d->pca.k * sizeof *d->pca.variance),
                              XXH3_64bits(d->pca.projection, (size_t)(d->pca.k * d->D) * sizeof *d->pca.projection),
                              (uint64_t)digest_of_components(comm, d)};
    return XXH3_64bits(parts, sizeof parts);
}

static int print_digest(const char *path)
{
    dc_comm *comm = NULL;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    static const dc_clip clips[] = {{.kind = DC_CLIP_NONE}, {DC_CLIP_QUANTILES, 0.01, 0}};
    uint64_t digest[SOURCES * DC_COUNT_OF(clips) * (DC_SCALE_PCA + 1)];
    size_t n = 0;
    for (dc_scale_kind k = DC_SCALE_NONE; k <= DC_SCALE_PCA; k++) {
        const char *source[SOURCES] = {path, DC_BUILTIN_GLYPHS, DC_BUILTIN_EMBEDDINGS};
        for (size_t i = 0; i < SOURCES * DC_COUNT_OF(clips); i++) {
            dc_dataset *d = NULL;
            const size_t which = i % SOURCES;
            const dc_data_request request = {.path = source[which],
                                             .rows = which == 0 ? 0 : 300,
                                             .clip = clips[i / SOURCES],
                                             .scale = k,
                                             .pca = {{which == 0 ? 5 : 0, 0.9}, i / SOURCES == 1}};
            if (dc_dataset_open(comm, &request, SHARDS, 7, 2, &d) != DC_OK) {
                fprintf(stderr, "%s\n", dc_error_text());
                return 1;
            }
            digest[n++] = digest_of(comm, d);
            dc_dataset_destroy(&d);
        }
    }
    if (dc_comm_rank(comm) == 0) printf("digest %016llx\n", (unsigned long long)XXH3_64bits(digest, sizeof digest));
    dc_comm_destroy(&comm);
    return 0;
}

/* ---- Parent ------------------------------------------------------------------------------------------------------ */

/* Columns 0 and 1 have zeros of both signs as their smallest and largest values. */
static float zero_of_row(int row)
{
    return row < N / 2 ? 0.0F : -0.0F;
}

static void make_file(const char *path)
{
    static float x[N * D];
    static int32_t y[N];
    dc_h5 *h5 = NULL;
    for (int i = 0; i < N * D; i++) {
        uint32_t w[4];
        dc_rng4(11, DC_STREAM_TEST, 0, (uint64_t)i, w);
        x[i] = (float)(dc_rng_unit(w[0]) * (double)(i % D + 1) + 0.1);
        if (i % D < 2 && i / D % 3 == 0) x[i] = zero_of_row(i / D);
        if (i % D == 1) x[i] = -x[i];
    }
    for (int i = 0; i < N; i++) y[i] = i * i % 23;
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
    CHECK_OK(dc_h5_put(h5, "X", DC_H5_F32, 2, (dc_gidx[]){N, D}, x));
    CHECK_OK(dc_h5_put(h5, "y", DC_H5_I32, 1, (dc_gidx[]){N}, y));
    CHECK_OK(dc_h5_close(&h5));
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "digest") == 0) return print_digest(argv[2]);
    char path[CHECK_PATH_MAX], first[32], other[32];
    const int fd = mkstemp(check_temporary(path));
    CHECK(fd >= 0 && close(fd) == 0);
    make_file(path);
    digest_under_mpirun(argv[0], path, 1, 1, first);
    CHECK(strlen(first) == 16);
    static const int P[] = {1, 2, 3, 7}, T[] = {2, 1, 2, 1};
    for (size_t i = 0; i < DC_COUNT_OF(P); i++) {
        digest_under_mpirun(argv[0], path, P[i], T[i], other);
        printf("# %d ranks x %d threads: %s\n", P[i], T[i], other);
        CHECK(first[0] && strcmp(first, other) == 0);
    }
    CHECK(unlink(path) == 0);
    return check_done();
}
