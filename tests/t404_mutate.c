/* Decks with random damage: never a crash, a refusal is exactly one line of error, and what is accepted can be
 * written and read back (faults D2, D6). 6000 decks and overrides, seed 404. */
#include "check.h"
#include "deck_help.h"

#include <stdlib.h>

static const char seed_deck[] = "# a deck\nrun: {output: runs/x, seed: 1, log_interval: 10s}\n"
                                "input:\n  data: 'data/x.h5'\n  scale: unit\n  rows: 100\n"
                                "model: {hidden: [500, 500, 2000], latent: 10, activation: relu}\n"
                                "pretrain:\n  epochs: 3\n  optimizer: adam\n  lr: 1.0e-3\n  beta1: 0.9\n"
                                "cluster: {method: \"dec\", clusters: 10, tol: 0.001, alpha: 2}\nidec: {gamma: "
                                "0.5}\noutput: {embedding: true, q: full}\n";
static const char *const pieces[] = {"{",
                                     "}",
                                     "[",
                                     "]",
                                     ":",
                                     ": ",
                                     "\n",
                                     "\n  ",
                                     "'",
                                     "\"",
                                     "#",
                                     "&a ",
                                     "*a",
                                     "!!str ",
                                     "|",
                                     ">",
                                     "-",
                                     "---\n",
                                     "\t",
                                     "\r",
                                     "\xff",
                                     "\xc3",
                                     "%",
                                     "%n",
                                     "\\",
                                     "9223372036854775808",
                                     "1e999",
                                     "nan",
                                     "\xe2\x80\xa8",
                                     ",",
                                     "? ",
                                     "~",
                                     "null",
                                     "run:",
                                     "seed: 2",
                                     "lr: 1"};

static uint64_t state = 404;
static size_t next(size_t n)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(state >> 33) % n;
}

static void remove_at(char *text, size_t *len, size_t at, size_t n)
{
    n = DC_MIN(n, *len - at);
    memmove(text + at, text + at + n, *len - at - n);
    *len -= n;
}

static void insert_at(char *text, size_t *len, size_t at, const char *piece)
{
    const size_t n = strlen(piece);
    memmove(text + at + n, text + at, *len - at);
    memcpy(text + at, piece, n);
    *len += n;
}

static void damage(char *text, size_t *len)
{
    const size_t at = next(*len);
    switch (next(4)) {
    case 0:
        text[at] = (char)next(256);
        break;
    case 1:
        remove_at(text, len, at, 1 + next(20));
        break;
    case 2:
        insert_at(text, len, at, pieces[next(DC_COUNT_OF(pieces))]);
        break;
    default:
        text[at] = (char)(text[at] ^ (1 << next(8)));
    }
    if (*len == 0) insert_at(text, len, 0, "a");
}

/* A refusal is one line; what was accepted reads back. */
static bool behaves(dc_status st, const dc_config *cfg)
{
    static char text[1 << 16];
    if (st == DC_ERR_USAGE) return dc_error_text()[0] && !strpbrk(dc_error_text(), "\n\r\t");
    if (st != DC_OK) return false;
    FILE *out = fmemopen(text, sizeof text, "w");
    const dc_status written = dc_config_dump(cfg, "fit", true, out);
    fclose(out);
    dc_config again;
    return written == DC_OK && deck_parse(&again, text, "fit") == DC_OK &&
           dc_config_hash(&again) == dc_config_hash(cfg);
}

static void test_decks(void)
{
    int wrong = 0, accepted = 0;
    for (int i = 0; i < 4000; i++) {
        char text[4 * sizeof seed_deck];
        size_t len = sizeof seed_deck - 1;
        memcpy(text, seed_deck, len);
        for (size_t n = 1 + next(3) / 2; n > 0; n--) damage(text, &len);
        /* An array of its exact size, so that a sanitizer sees a read beyond it. */
        char *exact = malloc(len);
        memcpy(exact, text, len);
        dc_config cfg;
        const dc_status st = deck_parse_bytes(&cfg, exact, len, "fit");
        free(exact);
        accepted += st == DC_OK;
        if (behaves(st, &cfg)) continue;
        printf("# %s: %s\n", dc_status_name(st), dc_error_text());
        wrong++;
    }
    printf("# %d of 4000 accepted\n", accepted);
    CHECK_INT(wrong, 0);
    CHECK(accepted > 100 && accepted < 2000);
}

static void test_overrides(void)
{
    static const char *const seeds[] = {"--cluster.lr=0.5", "--model.hidden=[5,6]", "--run.output=a/b",
                                        "--model.activation=relu", "--cluster.alpha=2"};
    int wrong = 0;
    for (int i = 0; i < 2000; i++) {
        char text[256];
        const char *from = seeds[next(DC_COUNT_OF(seeds))];
        size_t len = strlen(from);
        memcpy(text, from, len);
        for (size_t n = 1 + next(3); n > 0; n--) damage(text, &len);
        text[len] = 0;
        dc_config cfg;
        wrong += !behaves(deck_override(&cfg, text), &cfg);
    }
    CHECK_INT(wrong, 0);
}

int main(void)
{
    deck_methods();
    test_decks();
    test_overrides();
    return check_done();
}
