/* Generated embeddings: rows against the twin, whoever makes them; shares of the parts and of copies, cosines; names of
 * built-in data, good and bad. Seed 5. */
#include "check.h"

#include <math.h>
#include <omp.h>

#include "ref/embeddings_ref.h"

enum { N = 3000, D = 37, SEED = 5, ID_BYTES = 9 };
static const char NAME[] = "builtin:embeddings,rows=3000,width=37,clusters=20,duplicates=0.2,cosine=0.9,type=float32";
static float X[N * D];
static int32_t y[N];
static char ids[N * ID_BYTES];

static dc_builtin parsed(const char *name)
{
    dc_builtin b = {0};
    char why[DC_BUILTIN_WHY_MAX] = "";
    if (!CHECK(dc_builtin_parse(name, &b, why))) printf("#   %s: %s\n", name, why);
    return b;
}

static double cosine(dc_gidx i, dc_gidx j)
{
    double xy = 0, xx = 0, yy = 0;
    for (int64_t c = 0; c < D; c++) {
        xy += (double)X[i * D + c] * (double)X[j * D + c];
        xx += (double)X[i * D + c] * (double)X[i * D + c];
        yy += (double)X[j * D + c] * (double)X[j * D + c];
    }
    return xy / sqrt(xx * yy);
}

static void test_twin(void)
{
    const dc_builtin b = parsed(NAME);
    int wrong = 0, copies = 0;
    double worst = 0, off = 0;
    CHECK(b.sized && dc_builtin_id_bytes(&b, N) == ID_BYTES);
    CHECK_OK(dc_builtin_make(&b, SEED, 0, N, X, y, ids, ID_BYTES));
    for (dc_gidx i = 0; i < N; i++) {
        double x[256];
        char id[32];
        dc_embedding_plan plan;
        dc_embedding_ref(&b, SEED, i, x, &plan);
        snprintf(id, sizeof id, plan.source == i ? "%d" : "%d~%d", (int)i, (int)plan.source);
        for (int c = 0; c < D; c++) worst = fmax(worst, fabs(x[c] - (double)X[i * D + c]));
        wrong += y[i] != plan.part || strncmp(id, ids + i * ID_BYTES, ID_BYTES) != 0;
        copies += plan.source != i;
        off = fmax(off, fabs(cosine(i, plan.source) - plan.cosine));
    }
    CHECK_INT(wrong, 0);
    CHECK(worst < 1e-7);
    CHECK(off < 1e-6);
    CHECK(copies > N / 6 && copies < N / 4);
}

/* Any rows at a time, by any number of threads, from any first row. */
static void test_pieces(void)
{
    static float part[500 * D];
    static int32_t part_y[500];
    char why[DC_BUILTIN_WHY_MAX];
    dc_builtin b = parsed(NAME);
    for (int threads = 1; threads <= 3; threads += 2) {
        omp_set_num_threads(threads);
        CHECK_OK(dc_builtin_make(&b, SEED, 700, 500, part, part_y, NULL, 0));
        CHECK(memcmp(part, X + 700 * D, sizeof part) == 0 && memcmp(part_y, y + 700, sizeof part_y) == 0);
    }
    memset(part, 0, sizeof part);
    memset(part_y, 0, sizeof part_y);
    CHECK_OK(dc_builtin_make(&b, SEED, 700, 500, NULL, part_y, NULL, 0)); /* classes alone */
    CHECK(memcmp(part_y, y + 700, sizeof part_y) == 0);
    static double scratch[4 * D];
    CHECK(dc_builtin_scratch_bytes(&b) <= sizeof scratch);
    dc_builtin_rows(&b, SEED, 700, 500, part, scratch); /* values alone */
    CHECK(memcmp(part, X + 700 * D, sizeof part) == 0);
    b.first = 600;
    CHECK_OK(dc_builtin_make(&b, SEED, 100, 500, part, part_y, NULL, 0));
    CHECK(memcmp(part, X + 700 * D, sizeof part) == 0);
    CHECK(dc_builtin_parse("builtin:embeddings,width=37,clusters=20,duplicates=0.2,cosine=0.9,type=float32,seed=5", &b,
                           why));
    CHECK(!b.sized && b.seed == 5);
    CHECK_OK(dc_builtin_make(&b, 99, 700, 500, part, part_y, NULL, 0));
    CHECK(memcmp(part, X + 700 * D, sizeof part) == 0);
    b.seed = 6;
    CHECK_OK(dc_builtin_make(&b, SEED, 700, 500, part, part_y, NULL, 0));
    CHECK(memcmp(part, X + 700 * D, sizeof part) != 0);
    b.dtype = DC_F16;
    b.seed = SEED;
    CHECK_OK(dc_builtin_make(&b, 0, 0, 2, part, part_y, NULL, 0));
    CHECK(((_Float16 *)(void *)part)[D + 1] == (_Float16)X[D + 1]);
}

/* Parts of equal size, of sizes that fall, and far away in a long corpus. */
static void test_sizes(void)
{
    int64_t equal[8] = {0}, falling[8] = {0};
    dc_builtin b = parsed("builtin:embeddings,clusters=8,exponent=0,duplicates=0");
    CHECK_INT(dc_builtin_id_bytes(&b, 1000), 0);
    for (dc_gidx i = 0; i < 20000; i++) equal[dc_embedding_plan_of(&b, 1, i + (INT64_C(1) << 39)).part]++;
    b.exponent = 1;
    for (dc_gidx i = 0; i < 20000; i++) falling[dc_embedding_plan_of(&b, 1, i).part]++;
    for (int k = 0; k < 8; k++) {
        CHECK(llabs(equal[k] - 2500) < 250);
        CHECK(fabs((double)falling[k] - 20000 * log((k + 2.0) / (k + 1)) / log(9)) < 300);
    }
}

static void test_names(void)
{
    static const struct {
        const char *name, *why;
    } bad[] = {
        {"builtin:glyph", "did you mean 'builtin:glyphs'?"},
        {"builtin:embedding", "did you mean 'builtin:embeddings'?"},
        {"builtin:nothing of the kind", "there are builtin:glyphs and builtin:embeddings"},
        {"builtin:glyphs,width=3", "'width' is no setting of builtin:glyphs"},
        {"builtin:embeddings,", "'' is not KEY=VALUE"},
        {"builtin:embeddings,rows", "'rows' is not KEY=VALUE"},
        {"builtin:embeddings,rows=", "rows= is not a whole number from 1 to"},
        {"builtin:embeddings,rows=0", "from 1 to"},
        {"builtin:embeddings,rows=2.5", "not a whole number"},
        {"builtin:embeddings,rows=nan", "not a whole number"},
        {"builtin:embeddings,rows=1e13", "to 1000000000000"},
        {"builtin:embeddings,width=3", "from 4 to 65536"},
        {"builtin:embeddings,duplicates=1", "from 0 to 0.9"},
        {"builtin:embeddings,rows=7,width=8,rows=9", "rows is given twice"},
        {"builtin:embeddings,type=float16,type=float32", "type is given twice"},
        {"builtin:embeddings,duplicate=.1", "did you mean 'duplicates'?"},
        {"builtin:embeddings,type=float64", "neither float16 nor float32"},
        {"builtin:embeddings,\033[31m=1", "'?[31m' is no setting"},
        {"builtin:embeddings,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=1",
         "xxx...' is unknown"},
    };
    dc_builtin b;
    char why[DC_BUILTIN_WHY_MAX];
    for (size_t i = 0; i < DC_COUNT_OF(bad); i++) {
        CHECK(!dc_builtin_parse(bad[i].name, &b, why));
        CHECK_TEXT_HAS(why, bad[i].why);
    }
    CHECK(dc_builtin_is("builtin:x") && !dc_builtin_is("./builtin:x"));
    b = parsed("builtin:glyphs,rows=7,first=3");
    CHECK(b.rows == 7 && b.first == 3 && b.D == 784 && b.dtype == DC_U8 && dc_builtin_id_bytes(&b, 7) == 0);
    b = parsed("builtin:embeddings,rows=1e6");
    CHECK(b.rows == 1000000 && b.D == 64 && b.C == 1000 && b.dtype == DC_F16);
}

int main(void)
{
    test_twin();
    test_pieces();
    test_sizes();
    test_names();
    return check_done();
}
