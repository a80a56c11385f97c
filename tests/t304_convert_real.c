/* ranks: 0. Real data under DCMPI_DATA: shapes, types, class counts and means as published with the sets. */
#include "t3_convert.h"

typedef struct {
    const char *inputs[2], *labels[2];
    const char *column; /* of labels; NULL: labels from files */
    int N, D;
    dc_dtype dtype;
    double min, max, mean, mean_tol;
    int counts[10]; /* of classes 0..9 */
} real_set;

static const real_set sets[] = {
    {{"mnist/train-images-idx3-ubyte.gz", "mnist/t10k-images-idx3-ubyte.gz"},
     {"mnist/train-labels-idx1-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"},
     NULL,
     70000,
     784,
     DC_U8,
     0,
     255,
     (6 * 33.3184 + 33.7912) / 7,
     1e-4,
     {6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958}},
    {{"usps/zip.train.gz", "usps/zip.test.gz"},
     {NULL},
     "first",
     9298,
     256,
     DC_F32,
     -1,
     1,
     -0.485,
     1e-3,
     {1553, 1269, 929, 824, 852, 716, 834, 792, 708, 821}},
    {{"uci/optdigits-train.csv.gz", "uci/optdigits-test.csv.gz"},
     {NULL},
     "last",
     5620,
     64,
     DC_U8,
     0,
     16,
     4.9,
     0.1,
     {554, 571, 557, 572, 568, 558, 558, 566, 554, 562}},
};

static void check_counts(const real_set *set)
{
    static int32_t y[70000];
    int counts[10] = {0}, wrong = 0;
    dc_h5 *h5 = NULL;
    CHECK_OK(dc_h5_open(&h5, "out.h5", DC_H5_READ));
    CHECK_OK(dc_h5_read_rows(h5, "/y", DC_H5_I32, 0, set->N, y));
    CHECK_OK(dc_h5_close(&h5));
    for (int i = 0; i < set->N; i++) {
        if (y[i] < 0 || y[i] > 9)
            wrong++;
        else
            counts[y[i]]++;
    }
    for (int c = 0; c < 10; c++) wrong += abs(counts[c] - set->counts[c]);
    CHECK_INT(wrong, 0);
}

static void check_set(const char *data, const real_set *set)
{
    static char path[4][2 * DC_PATH_MAX];
    const char *inputs[2], *labels[2];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", data, set->inputs[i]);
        inputs[i] = path[i];
        snprintf(path[2 + i], sizeof path[2 + i], "%s/%s", data, set->labels[i] ? set->labels[i] : "");
        labels[i] = path[2 + i];
    }
    const bool column = set->column;
    CHECK_OK(convert_with((dc_convert_config){.inputs = inputs,
                                              .n_inputs = 2,
                                              .labels = labels,
                                              .n_labels = column ? 0 : 2,
                                              .table.label_column = set->column},
                          NULL));
    CHECK_INT(result.N, set->N);
    CHECK_INT(result.D, set->D);
    CHECK_INT(result.dtype, set->dtype);
    CHECK_INT(result.n_classes, 10);
    CHECK_NEAR(result.min, set->min, 0);
    CHECK_NEAR(result.max, set->max, 0);
    CHECK_NEAR(result.mean, set->mean, set->mean_tol);
    check_counts(set);
    CHECK(dc_mem_peak_bytes() < (size_t)16 << 20);
}

int main(void)
{
    char data[DC_PATH_MAX];
    const char *folder = getenv("DCMPI_DATA");
    if (!folder || !realpath(folder, data)) {
        check_skip_all("DCMPI_DATA names no folder with real data");
        return 0;
    }
    enter_folder();
    for (size_t i = 0; i < DC_COUNT_OF(sets); i++) check_set(data, &sets[i]);
    leave_folder();
    return check_done();
}
