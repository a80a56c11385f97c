#include "result_model.h"

#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "deck_model.h"
#include "job.h"

dc_status dc_result_deck_text(dc_h5 *h5, char **out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, DC_RESUME_DECK_MAX, 1, "deck"));
    DC_TRY(dc_h5_get_attr_str(h5, "/", "deck", *out, DC_RESUME_DECK_MAX));
out:
    if (st != DC_OK) dc_mem_free(out);
    return st;
}

static dc_status parse(const char *path, const char *verb, const char *deck, dc_config *out)
{
    char why[DC_ERROR_TEXT_MAX];
    dc_config_defaults(out);
    if (dc_config_parse(out, path, deck, strlen(deck), NULL, 0, verb) == DC_OK) return DC_OK;
    snprintf(why, sizeof why, "%s", dc_error_text());
    dc_error_clear();
    return DC_FAIL(DC_ERR_FORMAT, "this program cannot read the deck in %s: %.1500s", path, why);
}

static dc_status parse_fit(const char *path, const char *method, const char *verb, const char *deck, dc_config *out)
{
    const dc_status st = parse(path, verb, deck, out);
    if (st != DC_OK) return st;
    if (strcmp(out->cluster.method, method) == 0) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "%s: the deck in it is of method %s, the result of %s", path, out->cluster.method,
                   method);
}

/* The shape of the images, which the deck need not say. */
static dc_status take_images(dc_h5 *h5, dc_config *deck)
{
    dc_data_header head = {0};
    size_t n = 0;
    if (!dc_h5_has_attr(h5, "/", "image_shape")) return DC_OK;
    const dc_status st = dc_h5_get_attr_i64(h5, "/", "image_shape", head.image_shape, DC_IMAGE_DIMS_MAX, &n);
    head.n_image_dims = (int)n;
    if (st == DC_OK) dc_deck_take_images(deck, &head);
    return st;
}

enum { VERB_MAX = 16 };

/* Opens a result and reads the text of its deck and its verb. */
static dc_status open_deck(const char *path, dc_h5 **h5, char **deck, char verb[VERB_MAX])
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_open(h5, path, DC_H5_READ));
    DC_TRY(dc_result_deck_text(*h5, deck));
    DC_TRY(dc_h5_get_attr_str(*h5, "/", "verb", verb, VERB_MAX));
out:
    return st;
}

static dc_status read_deck(const char *path, const dc_trained *t, dc_config *out)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    char *deck = NULL, verb[VERB_MAX];
    DC_TRY(open_deck(path, &h5, &deck, verb));
    DC_TRY(parse_fit(path, t->method, verb, deck, out));
    /* The number that the run chose. */
    if (strcmp(verb, "sweep-k") == 0 || out->cluster.clusters == DC_CLUSTERS_AUTO) out->cluster.clusters = t->K;
    DC_TRY(take_images(h5, out));
out:
    dc_mem_free(&deck);
    st = dc_h5_close_read(&h5, st);
    return st;
}

dc_status dc_result_deck(const char *path, dc_config *out)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    char *deck = NULL, verb[VERB_MAX];
    DC_TRY(open_deck(path, &h5, &deck, verb));
    DC_TRY(parse(path, verb, deck, out));
out:
    dc_mem_free(&deck);
    st = dc_h5_close_read(&h5, st);
    return st;
}

/* Builds the model that the deck describes. */
static dc_status build(const char *path, const dc_config *deck, dc_trained *t)
{
    const int64_t input = t->pca.k > 0 ? t->pca.k : t->D;
    if (!t->has_method) {
        dc_slab_add(&t->slab, "centers", t->K, input, false);
        return DC_OK;
    }
    t->keys = dc_config_method_keys(deck);
    t->final = dc_deck_final(deck);
    if (dc_deck_slab(deck, input, &t->slab) != DC_OK) {
        dc_error_clear();
        return DC_FAIL(DC_ERR_FORMAT, "%s: the deck in it makes no network for %lld columns", path, (long long)input);
    }
    if (deck->cluster.clusters == t->K && t->slab.net.L == t->width) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "%s: '/cluster_centers' has %lld rows of %lld columns, the deck in it has %lld clusters in an "
                   "embedding of %lld columns",
                   path, (long long)t->K, (long long)t->width, (long long)deck->cluster.clusters,
                   (long long)t->slab.net.L);
}

static dc_status read_header(const char *path, dc_config *deck, dc_trained *t)
{
    const dc_status st = dc_trained_header(path, t);
    return st == DC_OK && t->has_method ? read_deck(path, t, deck) : st;
}

dc_status dc_result_model_read(const char *path, dc_config *deck, dc_trained *out)
{
    dc_status st = DC_OK;
    DC_TRY(read_header(path, deck, out));
    DC_TRY(build(path, deck, out));
    DC_TRY(dc_trained_read(path, out));
out:
    return st;
}

dc_status dc_result_model_load(dc_comm *comm, const char *path, dc_config *deck, dc_trained *out)
{
    dc_status st = DC_OK;
    const bool root = dc_comm_rank(comm) == 0;
    DC_TRY_ALL(comm, root ? read_header(path, deck, out) : DC_OK);
    dc_comm_bcast(comm, out, sizeof *out, 0);
    dc_comm_bcast(comm, deck, sizeof *deck, 0);
    DC_TRY_ALL(comm, build(path, deck, out));
    DC_TRY_ALL(comm, root ? dc_trained_read(path, out) : DC_OK);
    DC_TRY(dc_trained_spread(comm, out));
out:
    if (st != DC_OK) dc_trained_release(out);
    return st;
}
