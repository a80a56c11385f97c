/* ranks: 0. How convert reads the first line and the first column of a table; columns by name and number, ids, quotes,
 * separators, decimal commas; the same tables with options that decide otherwise. */
#include "t3_convert.h"

static double X[4096];
static int32_t y[64];

/* Ids of out.h5, commas between. */
static const char *output_ids(void)
{
    static char text[512];
    char raw[512] = "";
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    size_t used = 0;
    text[0] = '\0';
    if (dc_h5_open(&h5, "out.h5", DC_H5_READ) != DC_OK) return "(no file)";
    if (dc_h5_exists(h5, "/ids") && dc_h5_dataset_info(h5, "/ids", &info) == DC_OK &&
        (size_t)info.dims[0] * info.item_bytes < sizeof raw &&
        dc_h5_read_rows(h5, "/ids", DC_H5_TEXT, 0, info.dims[0], raw) == DC_OK)
        for (dc_gidx i = 0; i < info.dims[0]; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i ? "," : "", (int)info.item_bytes,
                                     raw + (size_t)i * info.item_bytes);
    return dc_h5_close(&h5) == DC_OK ? text : "(damaged)";
}

typedef struct {
    const char *text;
    dc_table_options o;
    int N, D;
    double x0;
    const char *names, *ids;
} row;

#define BY_RULE                                                                                                        \
    {                                                                                                                  \
        0                                                                                                              \
    }

static void check_row(const row *r)
{
    printf("# %.60s\n", r->text);
    write_text("t.csv", r->text);
    const dc_transpose_choice turn = r->o.transposed ? DC_TRANSPOSE_YES : DC_TRANSPOSE_AUTO;
    CHECK_OK(convert_with((dc_convert_config){.table = r->o, .transpose = turn}, "t.csv"));
    CHECK_INT(result.N, r->N);
    CHECK_INT(result.D, r->D);
    CHECK(read_output(X, 4096, NULL, 0));
    CHECK_NEAR(X[0], r->x0, 0);
    CHECK_TEXT(output_attr("feature_names"), r->names);
    CHECK_TEXT(output_ids(), r->ids);
}

static void check_headers(void)
{
    static const row table[] = {
        /* names without numbers */
        {"a,b\n1,2\n", BY_RULE, 1, 2, 1, "a\nb", ""},
        {"a,b\n1,2\n", {.header = DC_HEADER_YES}, 1, 2, 1, "a\nb", ""},
        {"a,,b\n1,2,3\n", BY_RULE, 1, 3, 1, "a\n\nb", ""},
        {"\"a\",\"b\"\n1,2\n", BY_RULE, 1, 2, 1, "a\nb", ""},
        {"sep=;\na;b\n1;2\n", BY_RULE, 1, 2, 1, "a\nb", ""},
        /* the integers of a data frame without names */
        {"0,1,2\n0.5,0.25,1\n1,2,3.5\n", BY_RULE, 2, 3, 0.5, "0\n1\n2", ""},
        {"0,1,2\n0.5,0.25,1\n1,2,3.5\n", {.header = DC_HEADER_NO}, 3, 3, 0, "", ""},
        {"1,2,3,4\n7,5,5,7\n0,0,9,1\n", BY_RULE, 2, 4, 7, "1\n2\n3\n4", ""},
        {"0,1\n0.5,0.25\n0.75,0.5\n", BY_RULE, 2, 2, 0.5, "0\n1", ""},
        {"0,1,2,label\n5,9,7,1\n6,1,1,2\n", {.label_column = "last"}, 2, 3, 5, "0\n1\n2", ""},
        {"label,0,1\n3,8,9\n", {.label_column = "0"}, 1, 2, 8, "0\n1", ""},
        {"\"0\",\"1\"\n0,1\n1,0\n", BY_RULE, 2, 2, 0, "0\n1", ""},
        {"\"0\",\"1\"\n\"0\",\"1\"\n", BY_RULE, 2, 2, 0, "", ""},
        /* rows that only look like it */
        {"0,1\n1,1\n0,0\n", BY_RULE, 3, 2, 0, "", ""},
        {"0,1\n0.5,1\n0,0.25\n", BY_RULE, 3, 2, 0, "", ""},
        {"1,2,3\n4,5,6\n7,8,9\n", BY_RULE, 3, 3, 1, "", ""},
        {"1,2,3,4\n2,1,4,3\n4,3,2,1\n", BY_RULE, 3, 4, 1, "", ""},
        {"1,2,3\n", BY_RULE, 1, 3, 1, "", ""},
        {"2,3,4\n9,1,7\n", BY_RULE, 2, 3, 2, "", ""},
        /* wavelengths */
        {"400,402,404,406,408,410,412,414\n3,1,2,2,2,1,1,0\n", BY_RULE, 1, 8, 3,
         "400\n402\n404\n406\n408\n410\n412\n414", ""},
        {"4.1,4.2,4.3,4.4,4.5,4.6,4.7,4.8\n3,1,2,2,2,1,1,0\n", BY_RULE, 1, 8, 3,
         "4.1\n4.2\n4.3\n4.4\n4.5\n4.6\n4.7\n4.8", ""},
        {"400,402,404,406,408,410,412,414\n2,4,6,8,10,12,14,16\n", BY_RULE, 2, 8, 400, "", ""},
        {"400,402,404,406,408,410,412,415\n3,1,2,2,2,1,1,0\n", BY_RULE, 2, 8, 400, "", ""},
        {"400,402,404\n3,1,2\n", BY_RULE, 2, 3, 400, "", ""},
        /* a label that is a word, or none */
        {"0.1,0.2,?\n0.3,0.4,1\n", {.label_column = "last"}, 2, 2, 0.1f, "", ""},
        {"a,0.1,0.2\n1,0.3,0.4\n", {.label_column = "first"}, 2, 2, 0.1f, "", ""},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) check_row(&table[i]);
}

static void check_ids(void)
{
    static const row table[] = {
        /* pandas and R */
        {",a,b\n0,1.5,2\n1,3,4\n", BY_RULE, 2, 2, 1.5, "a\nb", "0,1"},
        {",0,1\n0,0.5,1\n1,2,0.25\n", BY_RULE, 2, 2, 0.5, "0\n1", "0,1"},
        {"Unnamed: 0,a\n5,1\n6,2\n", BY_RULE, 2, 1, 1, "a", "5,6"},
        {"\"\",\"a\"\n\"r 1\",1\n\"r,2\",2\n", BY_RULE, 2, 1, 1, "a", "r 1,r,2"},
        {"a b\nr1 1 2\nr2 3 4\n", BY_RULE, 2, 2, 1, "a\nb", "r1,r2"},
        {"\"1\" \"2\" \"3\"\n\"r1\" 1 2 5\n\"r2\" 3 4 6\n", BY_RULE, 2, 3, 1, "1\n2\n3", "r1,r2"},
        {"1\t2\t3\nr1\t5\t5\t5\nr2\t3\t4\t6\n", BY_RULE, 2, 3, 5, "1\n2\n3", "r1,r2"},
        {",a,b\n0,1.5,2\n1,3,4\n", {.id_column = "none"}, 2, 3, 0, "\na\nb", ""},
        {",a,b\n0,1.5,2\n1,3,4\n", {.drop_columns = "0"}, 2, 2, 1.5, "a\nb", ""},
        {",a,b\n0,1.5,x\n1,3,y\n", {.id_column = "b"}, 2, 1, 1.5, "a", "x,y"},
        {",a,b\n0,1.5,2\n1,3,4\n", {.label_column = "first"}, 2, 2, 1.5, "a\nb", ""},
        /* a named column that counts through all rows, of at least 10 */
        {"k,a\n1,9\n2,9\n3,9\n4,9\n5,9\n6,9\n7,9\n8,9\n9,9\n10,9\n", BY_RULE, 10, 1, 9, "a", "1,2,3,4,5,6,7,8,9,10"},
        {"k,a\n1,9\n2,9\n3,9\n4,9\n5,9\n6,9\n7,9\n8,9\n9,9\n11,9\n", BY_RULE, 10, 2, 1, "k\na", ""},
        {"k,a\n1,9\n2,9\n3,9\n", BY_RULE, 3, 2, 1, "k\na", ""},
        {"1,9\n2,9\n3,9\n4,9\n5,9\n6,9\n7,9\n8,9\n9,9\n10,9\n", BY_RULE, 10, 2, 1, "", ""},
        /* said */
        {"id,x\na,1\nb,2\n", {.id_column = "id"}, 2, 1, 1, "x", "a,b"},
        {"a,1\nb,2\n", {.id_column = "first"}, 2, 1, 1, "", "a,b"},
        {"1,a\n2,b\n", {.id_column = "last"}, 2, 1, 1, "", "a,b"},
        {"1,\xC3\xA9,5\n2,,6\n", {.id_column = "1"}, 2, 2, 1, "", "\xC3\xA9,"},
        {"\"3\",\"4\"\na,1\nb,2\n", {.id_column = "\"3\""}, 2, 1, 1, "4", "a,b"},
        {"t,x,\"p, q\",z\na,1,5,6\nb,2,7,8\n", {.id_column = "t", .drop_columns = "\"p, q\",3"}, 2, 1, 1, "x", "a,b"},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) check_row(&table[i]);
}

static void check_cells(void)
{
    static const row table[] = {
        {"1|2\n3|4\n", BY_RULE, 2, 2, 1, "", ""},
        {"1:2\n3:4\n", {.separator = ':'}, 2, 2, 1, "", ""},
        {"1,5 2,5\n", {.decimal_comma = true}, 1, 2, 1.5, "", ""},
        {"1,5;2,5\n", {.decimal_comma = true}, 1, 2, 1.5, "", ""},
        {"1,5\t-2,5e1\n", {.decimal_comma = true}, 1, 2, 1.5, "", ""},
        {"\"1,5\",\"2,5\"\n", {.decimal_comma = true}, 1, 2, 1.5, "", ""},
        {"1,5 2\n", {.decimal_comma = true, .separator = ' '}, 1, 2, 1.5, "", ""},
        {"\"a;b\",c\n1,2\n", BY_RULE, 1, 2, 1, "a;b\nc", ""},
        {"\"a \"\"q\"\"\",c\n1,2\n", BY_RULE, 1, 2, 1, "a \"q\"\nc", ""},
        {"5\" x,c\n1,2\n", BY_RULE, 1, 2, 1, "5\" x\nc", ""},
        {"t,x\n\"two\nlines, \"\"q\"\"\",1\n\"b\",2\n", {.drop_columns = "t"}, 2, 1, 1, "x", ""},
        {"t,x\n\"two\r\n\r\n,\n#\",1\n\"b\",2\n", {.drop_columns = "t"}, 2, 1, 1, "x", ""},
        {"\"two\nlines\",x\n1,2\n", BY_RULE, 1, 2, 1, "two lines\nx", ""},
        {"#N/A,1\n2,3\n", {.drop_columns = "0"}, 2, 1, 1, "", ""},
        {"# c\n2,3\n#d\n", BY_RULE, 1, 2, 2, "", ""},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) check_row(&table[i]);
}

static void check_transposed(void)
{
    static const row table[] = {
        {"g,s1,s2,s3\nA,1,2,3\nB,4,5,6\n", {.transposed = true}, 3, 2, 1, "A\nB", "s1,s2,s3"},
        {"s1\ts2\ts3\nA\t1\t2\t3\nB\t4\t5\t6\n", {.transposed = true}, 3, 2, 1, "A\nB", "s1,s2,s3"},
        {"1,2,3\n4,5,6\n", {.transposed = true}, 3, 2, 1, "", ""},
        {"A,1,2,3\nB,4,5,6\n", {.transposed = true}, 3, 2, 1, "A\nB", ""},
        {"g,what,s1,s2\nA,x,1,2\nB,y,4,5\n", {.transposed = true, .drop_columns = "what"}, 2, 2, 1, "A\nB", "s1,s2"},
        {"what,g,s1,s2\nx,A,1,2\ny,B,4,5\n",
         {.transposed = true, .drop_columns = "what", .id_column = "g"},
         2,
         2,
         1,
         "A\nB",
         "s1,s2"},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        check_row(&table[i]);
        if (i < 2) CHECK(X[1] == 4 && X[2] == 2 && X[5] == 6);
    }
}

/* ---- What is refused --------------------------------------------------------------------------------------------- */

static void check_refused(void)
{
    static const struct {
        const char *text;
        dc_table_options o;
        dc_status status;
        const char *words;
    } table[] = {
        {"a,b\n1,2\n",
         {.header = DC_HEADER_NO},
         DC_ERR_DATA,
         "t.csv:1: column 0 (counted from 0): 'a' is not a number"},
        {"a,b\n1,2\n", {.header = DC_HEADER_NO, .id_column = "a"}, DC_ERR_USAGE, "--header=no"},
        {"alpha,beta\n1,2\n", {.id_column = "alhpa"}, DC_ERR_USAGE, "did you mean 'alpha'"},
        {"alpha,beta\n1,2\n", {.drop_columns = "zzz"}, DC_ERR_USAGE, "line 1 has 'alpha', 'beta'"},
        {"a,a\n1,2\n", {.label_column = "a"}, DC_ERR_USAGE, "2 columns have this name"},
        {"a,b\n1,2\n", {.label_column = "a", .id_column = "0"}, DC_ERR_USAGE, "also named by --label-column"},
        {"a,b\n1,2\n", {.id_column = "a", .drop_columns = "1,a"}, DC_ERR_USAGE, "also named by --id-column"},
        {"a,b\n1,2\n", {.drop_columns = "0,1"}, DC_ERR_DATA, "no column of features"},
        {"1,2\n", {.drop_columns = "2"}, DC_ERR_USAGE, "has 2 columns, 0 to 1"},
        {"1,2\n", {.drop_columns = "99999999999999999999"}, DC_ERR_USAGE, "has 2 columns"},
        {"1,2\n", {.id_column = "-1"}, DC_ERR_USAGE, "no column of line 1 has this name"},
        {"id,x\na,1\nb,2\n", BY_RULE, DC_ERR_DATA, "'a' is not a number; if it is a label, say --label-column=first"},
        {"x,id\n1,a\n2,b\n", BY_RULE, DC_ERR_DATA, "--id-column=last"},
        {"1,2\nx,4\n", BY_RULE, DC_ERR_DATA, "column 0 (counted from 0): 'x' is not a number"},
        {"1,x\n", BY_RULE, DC_ERR_DATA, "if line 1 holds names, say --header=yes"},
        {"a,b,c\n1,2,3,\n", BY_RULE, DC_ERR_DATA, "separators at the ends of the lines"},
        {"1,2,3\n4,5,6,7\n", BY_RULE, DC_ERR_DATA, "more than the 3 columns"},
        {"1\t2,5\n", BY_RULE, DC_ERR_DATA, "has a decimal comma; say --decimal=comma"},
        {"1\t2,500\n", BY_RULE, DC_ERR_DATA, "one between thousands"},
        {"1,\"1,234,567\"\n", BY_RULE, DC_ERR_DATA, "has commas between thousands"},
        {"1;1.234,5\n", BY_RULE, DC_ERR_DATA, "points between thousands"},
        {"1;1.5\n", {.decimal_comma = true}, DC_ERR_DATA, "has a point, but --decimal=comma"},
        {"1,5 2,5\n", BY_RULE, DC_ERR_DATA, "--separator=blank"},
        {"t,x\n\"open,1\n2,3\n", {.drop_columns = "t"}, DC_ERR_DATA, "t.csv:2: a quote opens a cell"},
        {"1,\"a\"b\"\n", {.id_column = "none"}, DC_ERR_DATA, "has quotes inside of quotes"},
        {"sport\tThe team won\nnews\tThe minister said no\n", {.label_column = "first"}, DC_ERR_DATA, "raw text"},
        {"1,The team won the match\n2,x\n", BY_RULE, DC_ERR_DATA, "raw text"},
        {"a 1:0.5\nb 2:1\n", {.label_column = "first"}, DC_ERR_DATA, "looks like svmlight, but not all"},
        {"a,b\n1,True\n", BY_RULE, DC_ERR_DATA, "is a truth value"},
        {"1,\xE9\n", {.id_column = "last"}, DC_ERR_DATA, "is not UTF-8"},
        {"1,\x01\n2,3\n", {.id_column = "last"}, DC_ERR_DATA, "0x01"},
    };
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        printf("# %.60s\n", table[i].text);
        write_text("t.csv", table[i].text);
        CHECK_STATUS(convert_with((dc_convert_config){.table = table[i].o}, "t.csv"), table[i].status);
        CHECK_TEXT_HAS(dc_error_text(), table[i].words);
        CHECK(!file_exists("out.h5.part"));
    }
    CHECK_STATUS(
        convert_with((dc_convert_config){.table.label_column = "last", .transpose = DC_TRANSPOSE_YES}, "t.csv"),
        DC_ERR_USAGE);
}

static void check_long_id(void)
{
    char text[DC_CONVERT_MAX_ID_BYTES + 16];
    memset(text, 'x', sizeof text);
    snprintf(text + DC_CONVERT_MAX_ID_BYTES, 16, ",1\nb,2\n");
    write_text("t.csv", text);
    CHECK_OK(convert_with((dc_convert_config){.table.id_column = "first"}, "t.csv"));
    CHECK_INT(result.N, 2);
    memset(text, 'x', sizeof text);
    snprintf(text + DC_CONVERT_MAX_ID_BYTES + 1, 15, ",1\nb,2\n");
    write_text("t.csv", text);
    CHECK_STATUS(convert_with((dc_convert_config){.table.id_column = "first"}, "t.csv"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "the limit is 1023");
}

/* ---- Labels ----------------------------------------------------------------------------------------------------- */

static void check_labels(void)
{
    static const struct {
        const char *text;
        int32_t y[4];
        const char *classes;
        int unlabelled;
    } table[] = {
        {"?\n1\n2\n1\n", {-1, 1, 2, 1}, "1\n2", 1},        {"a\n\"b, c\"\n-1\nNA\n", {0, 1, -1, -1}, "a\nb, c", 2},
        {"nan\n#N/A\nx\nNone\n", {-1, -1, 0, -1}, "x", 3}, {"3\n-1.0\n-2\n3.0\n", {3, -1, -2, 3}, "-2\n3", 1},
        {"-\n+\n-\n+\n", {1, 0, 1, 0}, "+\n-", 0},         {"-\na\n-\na\n", {-1, 0, -1, 0}, "a", 2},
        {"y\n1\n2\n1\n", {2, 0, 1, 0}, "1\n2\ny", 0},    /* 4 lines for 4 rows: a label */
        {"y\n1\n2\n1\n5\n", {1, 2, 1, 5}, "1\n2\n5", 0}, /* 5 lines: the first is a header */
        {"?\n?\n?\n?\n", {-9, -9, -9, -9}, "", 4},
    };
    const char *const inputs[] = {"x.csv"}, *const labels[] = {"l.txt"};
    write_text("x.csv", "1,2\n3,4\n5,6\n9,1\n");
    for (size_t i = 0; i < DC_COUNT_OF(table); i++) {
        printf("# %s\n", table[i].classes);
        write_text("l.txt", table[i].text);
        CHECK_OK(
            convert_with((dc_convert_config){.inputs = inputs, .n_inputs = 1, .labels = labels, .n_labels = 1}, NULL));
        CHECK_TEXT(output_attr("classes"), table[i].classes);
        CHECK_INT(result.unlabelled, table[i].unlabelled);
        CHECK_INT(result.has_labels, table[i].y[0] != -9);
        CHECK(!result.has_labels || (read_output(X, 8, y, 4) && memcmp(y, table[i].y, sizeof table[i].y) == 0));
    }
}

int main(void)
{
    enter_folder();
    check_headers();
    check_ids();
    check_cells();
    check_transposed();
    check_refused();
    check_long_id();
    check_labels();
    leave_folder();
    return check_done();
}
