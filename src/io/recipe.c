/* The recipe that is stored in a file. */
#include "dcmpi/recipe.h"

#include <limits.h>
#include <string.h>
#include <xxhash.h>

#include "dcmpi/mem.h"
#include "dcmpi/text.h"

/* Names that lead to the same files give the same hash, whatever the current folder. */
static uint64_t hash_recipe(const dc_recipe *r)
{
    char path[PATH_MAX];
    uint64_t hash = XXH3_64bits(r->verb, strlen(r->verb));
    for (int i = 0; i < r->n_inputs; i++) {
        const char *name = realpath(r->inputs[i], path) ? path : r->inputs[i];
        hash = XXH3_64bits_withSeed(name, strlen(name) + 1, hash);
    }
    return XXH3_64bits_withSeed(r->options, strlen(r->options), hash);
}

/* *out = the names, one per line, allocated by dc_mem_alloc(); the caller frees it. */
static dc_status join_inputs(const dc_recipe *r, char **out)
{
    size_t bytes = 1, used = 0;
    for (int i = 0; i < r->n_inputs; i++) bytes += strlen(r->inputs[i]) + 1;
    const dc_status st = dc_mem_alloc(out, bytes, 1, "names of the inputs");
    if (st != DC_OK) return st;
    for (int i = 0; i < r->n_inputs; i++)
        used += (size_t)snprintf(*out + used, bytes - used, "%s%s", i ? "\n" : "", r->inputs[i]);
    return DC_OK;
}

dc_status dc_recipe_put(dc_h5 *h5, const dc_recipe *recipe)
{
    dc_status st = DC_OK;
    char *inputs = NULL;
    DC_TRY(join_inputs(recipe, &inputs));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "verb", recipe->verb));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "inputs", inputs));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "options", recipe->options));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "recipe_hash", hash_recipe(recipe)));
out:
    dc_mem_free(&inputs);
    return st;
}

/* Writes how the file was made: "convert of a.csv", "convert of a.mtx, sparse", or "fit" for a result, which names its
 * data elsewhere. */
static void describe(dc_h5 *h5, char *made, size_t cap)
{
    char verb[16], inputs[128] = "", shown[128];
    made[0] = '\0';
    if (!dc_h5_has_attr(h5, "/", "verb") || dc_h5_get_attr_str(h5, "/", "verb", verb, sizeof verb) != DC_OK) return;
    if (dc_h5_has_attr(h5, "/", "inputs")) (void)!dc_h5_get_attr_str(h5, "/", "inputs", inputs, sizeof inputs);
    for (char *c = inputs; *c; c++)
        if (*c == '\n') *c = ' ';
    dc_printable(shown, sizeof shown, inputs, strlen(inputs));
    dc_text_clean(verb, "");
    snprintf(made, cap, "%s%s%s%s", verb, shown[0] ? " of " : "", shown,
             dc_h5_exists(h5, "/X/indptr") ? ", sparse" : "");
}

/* Closes the file. A damaged one counts as the file of somebody else. */
static dc_status close_any(dc_h5 **h5, dc_status st)
{
    st = dc_h5_close_read(h5, st);
    if (st == DC_ERR_IO) return st;
    dc_error_clear();
    return DC_OK;
}

dc_status dc_recipe_made(const dc_recipe *recipe, const char *path, bool *same, char *made, size_t cap)
{
    dc_h5 *h5 = NULL;
    uint64_t hash = 0;
    made[0] = '\0';
    const dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK) describe(h5, made, cap);
    *same = st == DC_OK && dc_h5_has_attr(h5, "/", "recipe_hash") &&
            dc_h5_get_attr_hash(h5, "/", "recipe_hash", &hash) == DC_OK && hash == hash_recipe(recipe);
    return close_any(&h5, st);
}

dc_status dc_recipe_format(const char *path, char *format, size_t cap)
{
    dc_h5 *h5 = NULL;
    format[0] = '\0';
    const dc_status st = dc_h5_open(&h5, path, DC_H5_READ);
    if (st == DC_OK && dc_h5_has_attr(h5, "/", "format") && dc_h5_get_attr_str(h5, "/", "format", format, cap) != DC_OK)
        format[0] = '\0';
    return close_any(&h5, st);
}
