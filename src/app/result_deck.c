/* What predict needs of a result besides arrays and attributes: the keys of its method. */
#include "result_deck.h"

#include <string.h>

#include "dcmpi/mem.h"
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

static dc_status parse(const char *path, const char *method, const char *deck, dc_config *out)
{
    dc_config_defaults(out);
    if (dc_config_parse(out, path, deck, strlen(deck), NULL, 0, "fit") != DC_OK) {
        char why[DC_ERROR_TEXT_MAX];
        snprintf(why, sizeof why, "%s", dc_error_text());
        dc_error_clear();
        return DC_FAIL(DC_ERR_FORMAT, "this program cannot read the deck in %s: %.1500s", path, why);
    }
    if (strcmp(out->cluster.method, method) == 0) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "%s: its deck is of method %s, but its result of %s", path, out->cluster.method,
                   method);
}

dc_status dc_result_deck_read(const char *path, const char *method, dc_config *out)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    char *deck = NULL;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_result_deck_text(h5, &deck));
    DC_TRY(parse(path, method, deck, out));
out:
    dc_mem_free(&deck);
    (void)!dc_h5_close(&h5);
    return st;
}
