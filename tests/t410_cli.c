/* The command line: which verb, which deck, which overrides, and the errors for all else (faults D1, D6, D8). */
#include "../src/app/cli.h"
#include "../src/app/verbs.h"
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

enum { WORDS_MAX = 8 };

static int count(char *const *words)
{
    int n = 0;
    while (words[n]) n++;
    return n;
}

static const struct {
    char *words[WORDS_MAX];
    const char *verb, *deck;
    int n_overrides, rest;
    bool dry_run, help;
} right[] = {
    {{"dcmpi"}, "fit", NULL, 0, 0, false, false},
    {{"dcmpi", "--run.seed=2", "--input.rows=5"}, "fit", NULL, 2, 0, false, false},
    {{"dcmpi", "a.yaml"}, "fit", "a.yaml", 0, 0, false, false},
    {{"dcmpi", "a.yml", "--run.seed=2"}, "fit", "a.yml", 1, 0, false, false},
    {{"dcmpi", "--run.seed=2", "a.json"}, "fit", "a.json", 1, 0, false, false},
    {{"dcmpi", "fit", "a.deck", "--dry-run"}, "fit", "a.deck", 0, 0, true, false},
    {{"dcmpi", "--dry-run", "kmeans", "a.yaml"}, "kmeans", "a.yaml", 0, 0, true, false},
    {{"dcmpi", "kmeans", "--run.output=a=b.yaml"}, "kmeans", NULL, 1, 0, false, false},
    {{"dcmpi", "runs/lr=1.yaml"}, "fit", "runs/lr=1.yaml", 0, 0, false, false},
    {{"dcmpi", "fit", "fit"}, "fit", "fit", 0, 0, false, false},
    {{"dcmpi", "convert", "a.csv", "--labels=x", "b.h5"}, "convert", NULL, 0, 4, false, false},
    {{"dcmpi", "config", "--explain", "lr"}, "config", NULL, 0, 3, false, false},
    {{"dcmpi", "info"}, "info", NULL, 0, 1, false, false},
    {{"dcmpi", "--help"}, "fit", NULL, 0, 0, false, true},
    {{"dcmpi", "help"}, "fit", NULL, 0, 0, false, true},
    {{"dcmpi", "-h"}, "fit", NULL, 0, 0, false, true},
    {{"dcmpi", "help", "convert"}, "convert", NULL, 0, 0, false, true},
    {{"dcmpi", "convert", "--help"}, "convert", NULL, 0, 0, false, true},
    {{"dcmpi", "--version"}, "fit", NULL, 0, 0, false, true},
};

static void test_right(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(right); i++) {
        dc_cli cli;
        dc_error_clear();
        CHECK_OK(dc_cli_parse(count(right[i].words), (char **)right[i].words, &cli));
        CHECK(strcmp(cli.verb, right[i].verb) == 0);
        CHECK(right[i].deck ? cli.deck && strcmp(cli.deck, right[i].deck) == 0 : !cli.deck);
        CHECK_INT(cli.n_overrides, right[i].n_overrides);
        CHECK_INT(cli.rest_argc, right[i].rest);
        CHECK(!right[i].rest || strcmp(cli.rest_argv[0], right[i].verb) == 0);
        CHECK(cli.dry_run == right[i].dry_run && cli.help == right[i].help);
        CHECK(dc_verb_find(cli.verb) != NULL);
        dc_cli_release(&cli);
    }
}

static const struct {
    char *words[WORDS_MAX];
    const char *text;
} wrong[] = {
    {{"dcmpi", "ft"}, "did you mean 'fit'?"},
    {{"dcmpi", "k-means"}, "did you mean 'kmeans'?"},
    {{"dcmpi", "confg", "--default"}, "did you mean 'config'?"},
    {{"dcmpi", "no_such_file"}, "dcmpi --help"},
    {{"dcmpi", "/tmp"}, "neither a verb nor a deck"},
    {{"dcmpi", "help", "ft"}, "did you mean 'fit'?"},
    {{"dcmpi", "fit", "--dryrun"}, "did you mean '--dry-run'?"},
    {{"dcmpi", "--versoin"}, "did you mean '--version'?"},
    {{"dcmpi", "-n", "4"}, "'4' is neither a verb"},
    {{"dcmpi", "--cluster.lr", "0.1"}, "--cluster.lr=VALUE"},
    {{"dcmpi", "fit", "a.yaml", "--cluster.lr", "0.1"}, "--cluster.lr=VALUE"},
    {{"dcmpi", "fit", "cluster.lr=1"}, "write --cluster.lr=1"},
    {{"dcmpi", "fit", "a.yaml", "b.yaml"}, "'b.yaml' is one word too many"},
    {{"dcmpi", "fit", "--lr=1"}, ", write --pretrain.lr=VALUE or --cluster.lr=VALUE"},
    {{"dcmpi", "fit", "--lr=1.5"}, ", write --pretrain.lr=VALUE or --cluster.lr=VALUE"},
    {{"dcmpi", "kmeans", "--clusters", "4"}, "unknown option --clusters, write --cluster.clusters=VALUE"},
    {{"dcmpi", "kmeans", "--n-clusters=4"}, ", write --cluster.clusters=VALUE"},
    {{"dcmpi", "kmeans", "--seed=3"}, ", write --run.seed=VALUE"},
    {{"dcmpi", "kmeans", "--epochs=3"}, "deck keys are --section.key=VALUE"},
    {{"dcmpi", "fit", "--ouput=a"}, ", write --run.output=VALUE"},
    {{"dcmpi", "fit", "--covariance=full"}, ", write --gmm.covariance=VALUE"},
    {{"dcmpi", "sweep-k", "--k=2..4"}, ", write --clusters=VALUE"},
    {{"dcmpi", "sweep-k", "--clusters", "2..4"}, "--clusters=VALUE"},
    {{"dcmpi", "fit", "--flux=1"}, "deck keys are --section.key=VALUE"},
    {{"dcmpi", "fit", "-x"}, "unknown option -x"},
    {{"dcmpi", "fit", "--"}, "unknown option --"},
    {{"dcmpi", "a\nb%n%s"}, "'a\\x0Ab%n%s'"},
    {{"dcmpi", ""}, "''"},
};

static void test_wrong(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(wrong); i++) {
        dc_cli cli;
        dc_error_clear();
        CHECK_STATUS(dc_cli_parse(count(wrong[i].words), (char **)wrong[i].words, &cli), DC_ERR_USAGE);
        CHECK_TEXT_HAS(dc_error_text(), wrong[i].text);
        CHECK(strncmp(dc_error_text(), "command line: ", 14) == 0 && !strchr(dc_error_text(), '\n'));
    }
}

static void test_many(void)
{
    enum { N = 10000 };
    char **words = calloc(N + 1, sizeof *words);
    dc_cli cli;
    for (int i = 0; i <= N; i++) words[i] = "--run.seed=1";
    dc_error_clear();
    CHECK_OK(dc_cli_parse(N + 1, words, &cli));
    CHECK_INT(cli.n_overrides, N);
    dc_cli_release(&cli);
    free(words);
}

/* An existing file is a deck whatever its name. */
static void test_existing_file(void)
{
    char path[CHECK_PATH_MAX], *words[] = {"dcmpi", path, NULL};
    const int fd = mkstemp(check_temporary(path));
    dc_cli cli;
    dc_error_clear();
    CHECK_OK(dc_cli_parse(2, words, &cli));
    CHECK(cli.deck == path);
    dc_cli_release(&cli);
    close(fd);
    unlink(path);
}

static void test_help(void)
{
    static char text[1 << 14];
    char *all[] = {"dcmpi", "--help", NULL}, *one[] = {"dcmpi", "kmeans", "--help", NULL};
    dc_cli cli;
    dc_error_clear();
    FILE *out = fmemopen(text, sizeof text, "w");
    CHECK_OK(dc_cli_parse(2, all, &cli));
    CHECK_OK(dc_cli_help(&cli, out));
    CHECK_OK(dc_cli_parse(3, one, &cli));
    CHECK_OK(dc_cli_help(&cli, out));
    fclose(out);
    CHECK_TEXT_HAS(text, "  convert ");
    CHECK_TEXT_HAS(text, "  pretrain ");
    CHECK_TEXT_HAS(text, "usage: dcmpi kmeans [DECK]");
}

int main(void)
{
    dc_cli_register_methods();
    test_right();
    test_wrong();
    test_many();
    test_existing_file();
    test_help();
    return check_done();
}
