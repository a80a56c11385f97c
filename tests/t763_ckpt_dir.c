/* The folder of checkpoints: which files count, which are removed, and that nobody else's are. */
#include "t76_help.h"

static void touch(const char *name)
{
    write_bytes(path_of(name), "x", 1);
}

static void check_list(int expected_n, const int64_t *expected)
{
    int64_t *number = NULL;
    int n = -1;
    CHECK_OK(dc_ckpt_list(folder, &number, &n));
    CHECK_INT(n, expected_n);
    for (int i = 0; i < DC_MIN(n, expected_n); i++) CHECK_INT(number[i], expected[i]);
    dc_mem_free(&number);
}

/* Names that resemble ours. */
static const char *const others[] = {"ckpt-1.h5",
                                     "ckpt-00001.h5",
                                     "ckpt-0000001.h5",
                                     "ckpt-000001.h5~",
                                     "ckpt-000001.h5.bak",
                                     "ckpt-000001.hdf5",
                                     "ckpt--00001.h5",
                                     "ckpt-00000a.h5",
                                     "xckpt-000001.h5",
                                     "ckpt-000001",
                                     "ckpt-000001.part",
                                     "run.h5",
                                     "run.h5.part",
                                     "ckpt-best.h5",
                                     "ckpt-.h5",
                                     "ckpt-1.h5.part",
                                     "ckpt-000001.h5.part.part",
                                     "ckpt-99999999999999999999.h5",
                                     "CKPT-000001.h5"};

static void test_names(void)
{
    char path[DC_PATH_MAX], dir[DC_PATH_MAX];
    CHECK(dc_ckpt_path("d", 7, path) && strcmp(path, "d/ckpt-000007.h5") == 0);
    CHECK(dc_ckpt_path("d", 1234567, path) && strcmp(path, "d/ckpt-1234567.h5") == 0);
    memset(dir, 'd', sizeof dir - 1);
    dir[sizeof dir - 1] = '\0';
    CHECK(!dc_ckpt_path(dir, 7, path));
}

/* The last checkpoint of a phase is a second name of a numbered one; it is neither listed nor pruned. */
static void test_last(void)
{
    char path[DC_PATH_MAX], dir[DC_PATH_MAX];
    CHECK(dc_ckpt_last_path("d", "pretrain", path) && strcmp(path, "d/last-pretrain.h5") == 0);
    CHECK(dc_ckpt_name_of("last-pretrain.h5") == DC_CKPT_WHOLE && dc_ckpt_name_of("last-layer_16.h5") == DC_CKPT_WHOLE);
    CHECK(dc_ckpt_name_of("last-cluster.h5.part") == DC_CKPT_PART);
    CHECK(dc_ckpt_name_of("last-other.h5") == DC_CKPT_NONE && dc_ckpt_name_of("last-pretrain.h5~") == DC_CKPT_NONE);
    CHECK(dc_ckpt_phase_place("layer_1") == 0 && dc_ckpt_phase_place("layer_2") == 1);
    CHECK(dc_ckpt_phase_place("layer_16") < dc_ckpt_phase_place("pretrain"));
    CHECK(dc_ckpt_phase_place("finetune") < dc_ckpt_phase_place("kmeans"));
    CHECK(dc_ckpt_phase_place("kmeans") < dc_ckpt_phase_place("cluster"));
    CHECK(dc_ckpt_phase_place("final_kmeans") == -1 && dc_ckpt_phase_place("") == -1);
    snprintf(dir, sizeof dir, "%s", path_of("last"));
    DC_ASSERT(mkdir(dir, 0777) == 0);
    touch("last/ckpt-000001.h5");
    touch("last/ckpt-000002.h5");
    touch("last/last-cluster.h5.part");
    CHECK_OK(dc_ckpt_keep_last(dir, path_of("last/ckpt-000001.h5"), "pretrain"));
    CHECK_OK(dc_ckpt_keep_last(dir, path_of("last/ckpt-000002.h5"), "cluster"));
    CHECK_OK(dc_ckpt_keep_last(dir, path_of("last/ckpt-000002.h5"), "pretrain")); /* replaces */
    dc_ckpt_prune(dir, 2, 0);
    CHECK(access(path_of("last/ckpt-000001.h5"), F_OK) != 0 && access(path_of("last/last-pretrain.h5"), F_OK) == 0);
    CHECK(access(path_of("last/last-cluster.h5.part"), F_OK) != 0);
    dc_ckpt_forget_last(dir, dc_ckpt_phase_place("pretrain"));
    CHECK(access(path_of("last/last-pretrain.h5"), F_OK) == 0 && access(path_of("last/last-cluster.h5"), F_OK) != 0);
    dc_ckpt_forget_last(dir, -1);
    CHECK(access(path_of("last/last-pretrain.h5"), F_OK) != 0 && access(path_of("last/ckpt-000002.h5"), F_OK) == 0);
    CHECK_STATUS(dc_ckpt_keep_last(dir, path_of("last/none.h5"), "pretrain"), DC_ERR_IO);
    remove_files(dir);
    rmdir(dir);
    dc_error_clear();
}

static void test_list(void)
{
    int64_t *number = NULL;
    int n = -1;
    CHECK_OK(dc_ckpt_list(path_of("missing"), &number, &n));
    CHECK_INT(n, 0);
    dc_mem_free(&number);
    touch("file");
    CHECK_STATUS(dc_ckpt_list(path_of("file"), &number, &n), DC_ERR_IO);
    CHECK_INT(n, 0);
    dc_error_clear();
    check_list(0, NULL);
    for (size_t i = 0; i < DC_COUNT_OF(others); i++) touch(others[i]);
    check_list(0, NULL);
    touch("ckpt-000010.h5");
    touch("ckpt-000002.h5");
    touch("ckpt-1000000.h5");
    touch("ckpt-999999.h5");
    check_list(4, (int64_t[]){2, 10, 999999, 1000000});
}

/* Continues with the files of test_list. */
static void test_prune(void)
{
    touch("ckpt-000003.h5.part");
    CHECK_INT(mkdir(path_of("ckpt-000001.h5"), 0777), 0); /* nothing that can be unlinked */
    dc_ckpt_prune(folder, 999999, 1);
    CHECK(!exists(path_of("ckpt-000003.h5.part")));
    CHECK(exists(path_of("ckpt-000001.h5")));
    CHECK(!exists(path_of("ckpt-000002.h5")));
    CHECK(exists(path_of("ckpt-000010.h5")));
    CHECK(exists(path_of("ckpt-999999.h5")));
    CHECK(exists(path_of("ckpt-1000000.h5")));
    rmdir(path_of("ckpt-000001.h5"));
    dc_ckpt_prune(folder, 999999, 0);
    check_list(2, (int64_t[]){999999, 1000000});
    int left = 0;
    for (size_t i = 0; i < DC_COUNT_OF(others); i++) left += exists(path_of(others[i]));
    CHECK_INT(left, DC_COUNT_OF(others));
    dc_ckpt_prune(path_of("missing"), 5, 1);
    CHECK_TEXT_HAS(dc_error_text(), "");
    CHECK_INT(dc_error_code(), DC_OK);
    remove_files(folder);
}

static void test_remove_between(void)
{
    for (int i = 1; i <= 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "ckpt-00000%d.h5", i);
        touch(name);
    }
    touch("ckpt-000003.h5.mine");
    dc_ckpt_remove_between(folder, 2, 3);
    check_list(5, (int64_t[]){1, 2, 3, 4, 5});
    dc_ckpt_remove_between(folder, 2, 5);
    check_list(3, (int64_t[]){1, 2, 5});
    CHECK(exists(path_of("ckpt-000003.h5.mine")));
    dc_ckpt_remove_between(path_of("missing"), 0, 5);
    CHECK_INT(dc_error_code(), DC_OK);
    remove_files(folder);
}

static void test_ten_thousand(void)
{
    char path[DC_PATH_MAX];
    bool made = true;
    for (int i = 1; i <= 10000; i++) {
        made = made && dc_ckpt_path(folder, i, path);
        write_bytes(path, "x", 1);
    }
    CHECK(made);
    touch("ckpt-000001.h5.mine");
    dc_ckpt_prune(folder, 10000, 1);
    check_list(2, (int64_t[]){9999, 10000});
    CHECK(exists(path_of("ckpt-000001.h5.mine")));
    remove_files(folder);
}

int main(void)
{
    make_folder();
    test_names();
    test_list();
    test_last();
    test_prune();
    test_remove_between();
    test_ten_thousand();
    rmdir(folder);
    return check_done();
}
