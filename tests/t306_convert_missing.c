/* ranks: 0. Missing values in text and arrays: reported with their place and word, left out, replaced by the mean of
 * their column or by a value, counted; and numbers that float32 cannot tell apart. */
#include "t3_convert.h"

static double X[4096];
static int32_t y[64];

static dc_status convert_missing(const char *input, dc_missing_action action, double value)
{
    return convert_with((dc_convert_config){.missing = {action, value}}, input);
}

/* ---- Told -------------------------------------------------------------------------------------------------------- */

static void check_told(void)
{
    static const char *const words[] = {"NA",   "N/A",     "#N/A",    "NaN",   "nan",    "NULL",     "null", "None",
                                        "?",    "-",       ".",       "",      "inf",    "-inf",     "+Inf", "Infinity",
                                        "<NA>", "#DIV/0!", "#VALUE!", "#REF!", "1.#IND", "-1.#QNAN", "\\N",  "\"NA\"",
                                        "nil",  "--",      "NaT",     "n/a",   "#NUM!",  "missing"};
    for (size_t i = 0; i < DC_COUNT_OF(words); i++) {
        char text[128], place[64];
        snprintf(text, sizeof text, "a;b\n1.5;2\n%s;4\n", words[i]);
        snprintf(place, sizeof place, "m.csv:3: column 0 (a, counted from 0): '%s' ", words[i]);
        write_text("m.csv", text);
        CHECK_STATUS(convert_one("m.csv"), DC_ERR_DATA);
        CHECK_TEXT_HAS(dc_error_text(), place);
        CHECK_TEXT_HAS(dc_error_text(), "missing value");
        CHECK_TEXT_HAS(dc_error_text(), "--missing=");
        CHECK(!strstr(dc_error_text(), "--label-column"));
        CHECK_OK(convert_missing("m.csv", DC_MISSING_DROP, 0));
        CHECK_INT(result.N, 1);
    }
    write_text("m.csv", "a;b\n1.5;2\nNAN1;4\n");
    CHECK_STATUS(convert_missing("m.csv", DC_MISSING_DROP, 0), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "is not a number");
}

/* ---- Replaced and left out --------------------------------------------------------------------------------------- */

static void check_text(void)
{
    write_text("m.csv", "x,y,z,c,k\n1,NA,3,u,a\n2,5,inf,v,b\n,1,1,w,c\n4,4,4,v,d\n");
    const dc_table_options o = {.label_column = "c", .id_column = "k"};
    CHECK_OK(convert_with((dc_convert_config){.table = o, .missing = {DC_MISSING_MEAN, 0}}, "m.csv"));
    CHECK(result.N == 4 && result.dtype == DC_F32 && result.n_classes == 3);
    CHECK(read_output(X, 12, y, 4));
    CHECK(X[1] == (float)(10 / 3.0) && X[5] == (float)(8 / 3.0) && X[6] == (float)(7 / 3.0));
    CHECK_TEXT(output_attr("missing"), "action=mean\ncells=3\nrows=3\nempty=1\ninf=1\nNA=1");
    CHECK_OK(convert_with((dc_convert_config){.table = o, .missing = {DC_MISSING_VALUE, 7}}, "m.csv"));
    CHECK(result.N == 4 && result.dtype == DC_U8 && read_output(X, 12, y, 4) && X[1] == 7 && X[5] == 7 && X[6] == 7);
    CHECK_TEXT_HAS(output_attr("missing"), "action=value\nvalue=7\n");
    CHECK_OK(convert_with((dc_convert_config){.table = o, .missing = {DC_MISSING_VALUE, -0.5}}, "m.csv"));
    CHECK(result.dtype == DC_F32 && read_output(X, 12, y, 4) && X[1] == -0.5);
    CHECK_OK(convert_with((dc_convert_config){.table = o, .missing = {DC_MISSING_DROP, 0}}, "m.csv"));
    CHECK(result.N == 1 && result.n_classes == 1 && read_output(X, 3, y, 1) && X[0] == 4 && y[0] == 0);
    CHECK_TEXT(output_attr("classes"), "v");
    CHECK_TEXT_HAS(output_attr("missing"), "action=drop\ncells=3\nrows=3");
    write_text("m.csv", "NA,1\nNA,2\n");
    CHECK_STATUS(convert_missing("m.csv", DC_MISSING_MEAN, 0), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "feature 0 (counted from 0 among the features) has no value");
    CHECK_STATUS(convert_missing("m.csv", DC_MISSING_DROP, 0), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "no row is left");
    CHECK_STATUS(convert_missing("m.csv", DC_MISSING_VALUE, 1e39), DC_ERR_USAGE);
    write_text("m.csv", "1,2\n3,4\n");
    CHECK_OK(convert_missing("m.csv", DC_MISSING_MEAN, 0));
    CHECK_TEXT(output_attr("missing"), "");
    CHECK_INT(result.dtype, DC_U8);
}

/* Labels of their own file follow the rows that stay. */
static void check_label_file(void)
{
    const char *const inputs[] = {"a.csv", "b.npy"}, *const labels[] = {"a.txt", "b.txt"};
    write_text("a.csv", "1,2\n3,NA\n5,6\n");
    write_text("a.txt", "p\nq\np\n");
    write_npy("b.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }\n",
              (const double[]){7, 8, -INFINITY, 10, 11, NAN}, 48);
    write_text("b.txt", "r\nq\np\n");
    dc_convert_config cfg = {.inputs = inputs, .n_inputs = 2, .labels = labels, .n_labels = 2};
    cfg.missing.action = DC_MISSING_DROP;
    CHECK_OK(convert_with(cfg, NULL));
    CHECK(result.N == 3 && result.n_classes == 2 && read_output(X, 6, y, 3));
    CHECK(X[0] == 1 && X[2] == 5 && X[4] == 7 && X[5] == 8);
    CHECK(y[0] == 0 && y[1] == 0 && y[2] == 1);
    CHECK_TEXT(output_attr("classes"), "p\nr");
    CHECK_TEXT(output_attr("missing"), "action=drop\ncells=3\nrows=3\nnan=1\n-inf=1\nNA=1");
    cfg.missing.action = DC_MISSING_MEAN;
    CHECK_OK(convert_with(cfg, NULL));
    CHECK(result.N == 6 && read_output(X, 12, y, 6) && X[3] == 6.5 && X[8] == 27 / 5.0 && y[1] == 1);
}

/* Many pieces: rows are left out on both sides of the borders between them. */
static void check_pieces(void)
{
    enum { N = 2000, D = 1000 };
    float *x = malloc(sizeof *x * N * D);
    double mean = 0;
    int64_t there = 0, wrong = 0;
    DC_ASSERT(x);
    for (int i = 0; i < N * D; i++) x[i] = (float)(i / D % 250);
    for (int i = 0; i < N; i += 3) x[i * D + i % D] = NAN;
    for (int i = 0; i < N; i++)
        if (!isnan(x[i * D])) mean += x[i * D], there++;
    write_npy("p.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2000, 1000), }\n", x, sizeof *x * N * D);
    CHECK_OK(convert_missing("p.npy", DC_MISSING_DROP, 0));
    CHECK_INT(result.N, N - (N + 2) / 3);
    dc_h5 *h5 = NULL;
    float row[D];
    CHECK_OK(dc_h5_open(&h5, "out.h5", DC_H5_READ));
    for (int i = 0, at = 0; i < N; i++)
        if (i % 3) wrong += dc_h5_read_rows(h5, "/X", DC_H5_F32, at++, 1, row) != DC_OK || row[7] != (float)(i % 250);
    CHECK_INT(wrong, 0);
    CHECK_OK(dc_h5_close(&h5));
    CHECK_OK(convert_missing("p.npy", DC_MISSING_MEAN, 0));
    CHECK_OK(dc_h5_open(&h5, "out.h5", DC_H5_READ));
    CHECK_OK(dc_h5_read_rows(h5, "/X", DC_H5_F32, 0, 1, row));
    CHECK_NEAR(row[0], mean / (double)there, 1e-4);
    CHECK_OK(dc_h5_close(&h5));
    free(x);
}

static void check_arrays(void)
{
    write_npy("h.npy", 1, "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 1), }\n",
              (const uint8_t[]){0, 0x3c, 0, 0x7e, 0, 0x40}, 6);
    CHECK_STATUS(convert_one("h.npy"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "row 1, column 0: nan is not finite, a missing value; say --missing=");
    CHECK_OK(convert_missing("h.npy", DC_MISSING_MEAN, 0));
    CHECK(result.dtype == DC_F32 && read_output(X, 3, NULL, 0) && X[1] == 1.5);
    CHECK_OK(convert_missing("h.npy", DC_MISSING_DROP, 0));
    CHECK(result.dtype == DC_F16 && result.N == 2 && read_output(X, 2, NULL, 0) && X[1] == 2);
    write_text("t.csv", "A,1,NA,3\nB,4,5,6\n");
    dc_convert_config cfg = {.transpose = DC_TRANSPOSE_YES, .missing.action = DC_MISSING_DROP};
    CHECK_OK(convert_with(cfg, "t.csv"));
    CHECK(result.N == 2 && read_output(X, 4, NULL, 0) && X[0] == 1 && X[1] == 4 && X[2] == 3 && X[3] == 6);
}

/* ---- Numbers that float32 cannot tell apart --------------------------------------------------------------------- */

static void check_precision(void)
{
    static const struct {
        const char *text;
        dc_dtype want;
    } table[] = {
        {"0.1,0.2\n0.3,0.4\n", DC_F32},
        {"0.1000000001,1\n0.2000000003,2\n", DC_F32},
        {"16777217,1\n5,2\n", DC_F64},
        {"16777216,1\n33554432,2\n", DC_F32},
        {"1700000000.5,1\n1700000001.5,2\n", DC_F64},
        {"1700000000.5,1\n1700000000.5,2\n", DC_F32}, /* nothing to tell apart */
        {"48.137154,11.576124\n48.137155,11.576125\n", DC_F64},
        {"48.137154,11.576124\n-33.137155,151.576125\n", DC_F32},
        {"1e30,1\n2.5e30,2\n", DC_F32},
        {"1e-42,1\n3e-45,2\n", DC_F64},
        {"-16777219,1\n-3,2\n", DC_F64},
        {"300,NA\n400,16777217\n500,3\n", DC_F64},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        printf("# %s", table[i].text);
        puts("");
        write_text("p.csv", table[i].text);
        CHECK_OK(convert_missing("p.csv", DC_MISSING_VALUE, 0));
        CHECK_INT(result.dtype, table[i].want);
    }
    CHECK(read_output(X, 6, NULL, 0) && X[3] == 16777217);
    write_npy("i.npy", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1), }\n",
              (const int64_t[]){1 << 30, (1 << 30) + 1}, 16);
    CHECK_OK(convert_one("i.npy"));
    CHECK(result.dtype == DC_F64 && read_output(X, 2, NULL, 0) && X[1] - X[0] == 1);
    write_npy("i.npy", 1, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }\n", (const int32_t[]){-5, 70000},
              8);
    CHECK_OK(convert_one("i.npy"));
    CHECK_INT(result.dtype, DC_F32);
}

int main(void)
{
    enter_folder();
    check_told();
    check_text();
    check_label_file();
    check_pieces();
    check_arrays();
    check_precision();
    leave_folder();
    return check_done();
}
