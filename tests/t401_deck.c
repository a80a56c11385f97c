/* The text of a deck: structure, forbidden YAML, positions, duplicates, typing errors (faults D1, D2, D4, D6). */
#include "check.h"
#include "deck_help.h"

#include "dcmpi/mem.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *deck, *place, *text;
} wrong[] = {
    {"run:\n  seed: 1\n  sede: 2\n", "deck.yaml:3:3: ", "did you mean 'seed'?"},
    {"cluster:\n  n_clusters: 10\n", "deck.yaml:2:3: ", "did you mean 'clusters'?"},
    {"cluster:\n  cluster: 10\n", "deck.yaml:2:3: ", "did you mean 'clusters'?"},
    {"cluster: {learning_rate: 1}\n", "deck.yaml:1:11: ", "did you mean 'lr'?"},
    {"pretrain: {clusters: 3}\n", "deck.yaml:1:12: ", "did you mean 'cluster.clusters'?"},
    {"clusters: {method: dec}\n", "deck.yaml:1:1: ", "did you mean 'cluster'?"},
    {"seed: 1\n", "deck.yaml:1:1: ", "did you mean 'run.seed'?"},
    {"run.seed: 1\n", "deck.yaml:1:1: ", "write run: {seed: VALUE}"},
    {"xyzzyxyzzy: {a: 1}\n", "deck.yaml:1:1: ", "config --default"},
    {"run: {qqqqqqqqqq: 1}\n", "deck.yaml:1:7: ", "config --default"},
    {"model: {activation: rleu}\n", "deck.yaml:1:21: ", "did you mean 'relu'?"},
    {"cluster: {method: deck}\n", "deck.yaml:1:19: ", "did you mean 'dec'?"},
    {"\n\n  \nrun:\n  seed: 1\n  seed: 2\n", "deck.yaml:6:3: ", "twice, first at deck.yaml:5:3"},
    {"run: {seed: 1}\nmodel: {latent: 2}\nrun: {seed: 1}\n", "deck.yaml:3:1: ", "twice, first in line 1"},
    {"run:\n\tseed: 1\n", "deck.yaml:2:1: ", "tab"},
    {"run:\n  \tseed: 1\n", "deck.yaml:2:3: ", "tab"},
    {"run: &a {seed: 1}\n", "deck.yaml:1:6: ", "anchors"},
    {"run: {seed: &a 1}\n", "deck.yaml:1:13: ", "anchors"},
    {"run: {seed: *a}\n", "deck.yaml:1:13: ", "anchors"},
    {"run: {seed: !!int 1}\n", "deck.yaml:1:13: ", "tags"},
    {"!x {seed: 1}\n", "deck.yaml:1:1: ", "tags"},
    {"%TAG ! tag:x,2000:\n---\nrun: {seed: 1}\n", "deck.yaml:1:1: ", "directives"},
    {"run: {seed: 1}\n---\nrun: {seed: 2}\n", "deck.yaml:2:1: ", "one document"},
    {"run: {seed: {a: 1}}\n", "deck.yaml:1:13: ", "not sections"},
    {"model: {hidden: [[1]]}\n", "deck.yaml:1:18: ", "not lists"},
    {"model:\n  hidden:\n  - 500\n", "deck.yaml:3:3: ", "on one line"},
    {"model: {hidden: 500}\n", "deck.yaml:1:17: ", "list in brackets"},
    {"run: {seed: [1]}\n", "deck.yaml:1:13: ", "list where one value"},
    {"input: {data: []}\n", "deck.yaml:1:16: ", "empty list"},
    {"input: {data: [a, [b]]}\n", "deck.yaml:1:19: ", "not lists"},
    {"input: {data: [a, $B]}\n", "deck.yaml:1:15: input.data", "not expanded"},
    {"run: {output: |\n  x\n  }\n", "deck.yaml:1:", ""},
    {"run:\n  output: |\n    x\n", "deck.yaml:2:11: ", "block scalars"},
    {"run:\n  output: >\n    x\n", "deck.yaml:2:11: ", "block scalars"},
    {"run: 5\n", "deck.yaml:1:6: ", "section holds keys"},
    {"run: [1]\n", "deck.yaml:1:6: ", "section holds keys"},
    {"- run\n", "deck.yaml:1:1: ", "list of sections"},
    {"hello\n", "deck.yaml:1:1: ", "list of sections"},
    {"run: {seed: }\n", "deck.yaml:1:", "no value"},
    {"run:\n  seed:\n  output: x\n", "deck.yaml:2:8: ", "no value"},
    {"run: {seed: 1\n", "deck.yaml:2:1: ", ""},
    {"run: {seed: 1}}\n", "deck.yaml:1:15: ", ""},
    {"run:\n  seed: 1\n   output: x\n", "deck.yaml:2:9: ", "on one line"},
    {"? [a]\n: b\n", "deck.yaml:1:3: ", "must have a name"},
    {"run: {[a]: b}\n", "deck.yaml:1:7: ", "must be a name"},
    {"run:\n  seed: \"1\n", "deck.yaml:", ""},
    {"run: {\xff: 1}\n", "deck.yaml:1:7: ", "UTF-8"},
    {"run: {\xc0\x80: 1}\n", "deck.yaml:1:7: ", "UTF-8"},
    {"# \xc3\xa4\xc3\xb6\nrun: {\xc3\xa4: \xed\xa0\x80}\n", "deck.yaml:2:10: ", "UTF-8"},
    {"\xff\xfer\0u\0n\0", "deck.yaml:1:1: ", "UTF-8"},
    {"run: {seed: 1\x07}\n", "deck.yaml:1:14: ", "control"},
    {"run: {\"a\\nb\": 1}\n", "deck.yaml:1:7: ", "a\\x0Ab"},
    {"run: {\"%n%s%s%s\": 1}\n", "deck.yaml:1:7: ", "%n%s%s%s"},
    {"", "deck.yaml: ", "input.data is missing"},
    {"# nothing\n", "deck.yaml: ", "builtin:glyphs"},
    {"---\n", "deck.yaml: ", "input.data is missing"},
    {"input: {data: \"\"}\n", "deck.yaml:1:9: ", "input.data is missing"},
    {"input: {data: 'builtin:glyph'}\n", "deck.yaml:1:9: ", "did you mean 'builtin:glyphs'?"},
};

static void test_wrong_decks(void)
{
    dc_config cfg;
    for (size_t i = 0; i < DC_COUNT_OF(wrong); i++) {
        CHECK_STATUS(deck_parse(&cfg, wrong[i].deck, "fit"), DC_ERR_USAGE);
        if (!CHECK(deck_error_at(wrong[i].place))) printf("#   <%s>: %s\n", wrong[i].deck, dc_error_text());
        CHECK_TEXT_HAS(dc_error_text(), wrong[i].text);
    }
}

static const char *const right[] = {
    "input: {data: x.h5}\nrun: {seed: 7}\n",
    "\xEF\xBB\xBFinput: {data: x.h5}\nrun: {seed: 7}\n",
    "input:\r\n  data: x.h5\r\nrun:\r\n  seed: 7\r\n",
    "# c\n---\ninput: {data: 'x.h5'}\nmodel:\nrun: {seed: 7}   # c\n...\n",
    "{\"input\": {\"data\": \"x.h5\"}, \"run\": {\"seed\": 7}}",
    "{\n  \"input\": {\n    \"data\": \"x.h5\"\n  },\n  \"run\": {\"seed\": 7}\n}\n",
    "input: {data: \"x\\u002eh5\"}\nrun: {seed:\t7} #\ttabs between words are allowed\n",
};

static void test_right_decks(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(right); i++) {
        dc_config cfg;
        CHECK_OK(deck_parse(&cfg, right[i], "fit"));
        CHECK_INT(cfg.run.seed, 7);
        CHECK(strcmp(cfg.input.data, "x.h5") == 0);
    }
}

/* Files as data, in a deck and on the command line; wrong: part of the message. */
static void test_files(void)
{
    static const struct {
        const char *deck, *names;
    } decks[] = {{"input: {data: \"s/*.npy\"}", "s/*.npy"},
                 {"input: {data: [a.npy, \"s/*.npy\", b.h5:emb]}", "a.npy\ns/*.npy\nb.h5:emb"},
                 {"input:\n  data:\n    - a, b.npy\n    - c.npy\n", "a, b.npy\nc.npy"},
                 {"input: {data: [a.npy]}", "a.npy"}};
    static const struct {
        const char *text, *names, *wrong;
    } options[] = {{"--input.data=a, b.npy", "a, b.npy", NULL},
                   {"--input.data=[ a.npy ,\"b, c.npy\",'d e.h5:x' ]", "a.npy\nb, c.npy\nd e.h5:x", NULL},
                   {"--input.data=[a.npy,]", "a.npy", NULL},
                   {"--input.data=[]", NULL, "empty list"},
                   {"--input.data=[a,,b]", NULL, "an empty name"},
                   {"--input.data=[\"a]", NULL, "not part of a list"},
                   {"--input.data=[\"a\"b]", NULL, "not part of a list"},
                   {"--input.data=[a, ~/b]", NULL, "~ is not expanded"}};
    dc_config cfg;
    for (size_t i = 0; i < DC_COUNT_OF(decks); i++) {
        CHECK_OK(deck_parse(&cfg, decks[i].deck, "fit"));
        CHECK_TEXT(cfg.input.data, decks[i].names);
    }
    for (size_t i = 0; i < DC_COUNT_OF(options); i++) {
        dc_config_defaults(&cfg);
        const dc_status st = dc_config_parse(&cfg, NULL, NULL, 0, &options[i].text, 1, "fit");
        CHECK_INT(st, options[i].wrong ? DC_ERR_USAGE : DC_OK);
        if (options[i].wrong)
            CHECK_TEXT_HAS(dc_error_text(), options[i].wrong);
        else
            CHECK_TEXT(cfg.input.data, options[i].names);
        dc_error_clear();
    }
}

/* As many names as there may be, and one more. */
static void test_many_files(void)
{
    enum { NAMES = 1000, NAME = 64 };
    static char deck[NAMES * (NAME + 8) + 64], long_name[NAME];
    dc_config cfg;
    memset(long_name, 'x', NAME - 1);
    size_t used = (size_t)snprintf(deck, sizeof deck, "input:\n  data:\n");
    for (int i = 0; i < NAMES; i++) used += (size_t)snprintf(deck + used, sizeof deck - used, "  - %s\n", long_name);
    CHECK_OK(deck_parse(&cfg, deck, "fit"));
    CHECK_INT(strlen(cfg.input.data), NAMES * NAME - 1);
    for (int i = 0; i < 30; i++) used += (size_t)snprintf(deck + used, sizeof deck - used, "  - %s\n", long_name);
    CHECK_STATUS(deck_parse(&cfg, deck, "fit"), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "use a glob");
    dc_error_clear();
}

static void test_nul_and_size(void)
{
    dc_config cfg;
    CHECK_STATUS(deck_parse_bytes(&cfg, "run:\n  a\0: 1\n", 13, "fit"), DC_ERR_USAGE);
    CHECK(deck_error_at("deck.yaml:2:4: NUL"));
    const size_t bytes = (1 << 20) + 1;
    char *big = malloc(bytes);
    memset(big, '#', bytes);
    CHECK_STATUS(deck_parse_bytes(&cfg, big, bytes, "fit"), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "1 MiB");
    CHECK_STATUS(deck_parse_bytes(&cfg, big, bytes - 1, "fit"), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "input.data");
    memset(big, '[', bytes);
    CHECK_STATUS(deck_parse_bytes(&cfg, big, bytes - 1, "fit"), DC_ERR_USAGE);
    memset(big, ' ', bytes);
    memcpy(big, "run: {seed: \"", 13);
    memset(big + 13, 'x', bytes - 20);
    memcpy(big + bytes - 7, "\"}\n", 3);
    CHECK_STATUS(deck_parse_bytes(&cfg, big, bytes - 1, "fit"), DC_ERR_USAGE);
    CHECK(strlen(dc_error_text()) < 512);
    free(big);
}

/* Names of decks go into messages: never as formats, never with line breaks, never so long that nothing else fits. */
static void test_deck_names(void)
{
    static char name[3000];
    dc_config cfg;
    dc_config_defaults(&cfg);
    dc_error_clear();
    CHECK_STATUS(dc_config_parse(&cfg, "a\n%n%s.yaml", "x: 1\n", 5, NULL, 0, "fit"), DC_ERR_USAGE);
    CHECK(deck_error_at("a\\x0A%n%s.yaml:1:1: unknown section"));
    memset(name, 'd', sizeof name - 1);
    memcpy(name + 2980, "/deck.yaml", 11);
    dc_error_clear();
    CHECK_STATUS(dc_config_parse(&cfg, name, "x: 1\n", 5, NULL, 0, "fit"), DC_ERR_USAGE);
    CHECK(deck_error_at("deck.yaml:1:1: unknown section"));
}

static void test_read_file(void)
{
    char path[CHECK_PATH_MAX], *text;
    size_t bytes;
    const int fd = mkstemp(check_temporary(path));
    CHECK(fd >= 0 && write(fd, "run: {}\n", 8) == 8);
    dc_error_clear();
    CHECK_OK(dc_config_read_file(path, &text, &bytes));
    CHECK(bytes == 8 && memcmp(text, "run: {}\n", 8) == 0);
    dc_mem_free(&text);
    CHECK_INT(ftruncate(fd, (1 << 20) + 1), 0);
    CHECK_STATUS(dc_config_read_file(path, &text, &bytes), DC_ERR_USAGE);
    CHECK(text == NULL);
    close(fd);
    unlink(path);
    const char *const bad[] = {path, "/tmp", "/dev/zero", "/no/such/deck.yaml", ""};
    for (size_t i = 0; i < DC_COUNT_OF(bad); i++) {
        dc_error_clear();
        CHECK_STATUS(dc_config_read_file(bad[i], &text, &bytes), DC_ERR_USAGE);
    }
}

int main(void)
{
    deck_methods();
    test_wrong_decks();
    test_right_decks();
    test_files();
    test_many_files();
    test_nul_and_size();
    test_deck_names();
    test_read_file();
    return check_done();
}
