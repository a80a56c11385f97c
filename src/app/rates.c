/* The names allowed in lr_factors follow from the model's layers and the method, so they can be checked before data is
 * read. */
#include "rates.h"

#include <string.h>

#include "dcmpi/method.h"
#include "dcmpi/text.h"
#include "deck_model.h"

enum { NAMES_MAX = (1 + DC_SLAB_NETS) * DC_MAX_LAYERS + DC_SLAB_TENSORS + 2, TEXT_MAX = 1024 };
typedef struct {
    const char *name[NAMES_MAX];
    int n;
} names;

static void add_layers(names *to, const dc_net *net, int first, int last, const char *all)
{
    to->name[to->n++] = all;
    for (int l = first; l < last; l++) to->name[to->n++] = net->layer[l].name;
}

static void add_own(names *to, const dc_slab *slab)
{
    const dc_net *net;
    for (int i = 1; (net = dc_slab_net_at(slab, i)) != NULL; i++)
        for (int l = 0; l < net->n_layers; l++) to->name[to->n++] = net->layer[l].name;
    for (int i = 0; i < slab->n_tensors; i++)
        if (slab->tensor[i].trained) to->name[to->n++] = slab->tensor[i].name;
}

static void join(const names *from, char out[TEXT_MAX])
{
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < from->n && at < TEXT_MAX; i++)
        at += (size_t)snprintf(out + at, TEXT_MAX - at, "%s%s", i ? ", " : "", from->name[i]);
}

static bool has(const names *of, const char *name)
{
    for (int i = 0; i < of->n; i++)
        if (strcmp(of->name[i], name) == 0) return true;
    return false;
}

static dc_status check(const dc_factors *factors, const names *trained, const char *section)
{
    char all[TEXT_MAX];
    for (int i = 0; i < factors->n; i++) {
        const char *name = factors->v[i].name;
        if (has(trained, name)) continue;
        const int near = dc_nearest_name(name, trained->name, trained->n);
        join(trained, all);
        return DC_FAIL(DC_ERR_USAGE, "%s.lr_factors: '%s' is not trained%s%s%s; trained are %s", section, name,
                       near < 0 ? "" : ", did you mean '", near < 0 ? "" : trained->name[near], near < 0 ? "" : "'?",
                       all);
    }
    return DC_OK;
}

dc_status dc_rates_check(const dc_config *cfg)
{
    dc_status st = DC_OK;
    dc_slab slab;
    names pretrained = {0}, clustered = {0};
    const dc_method *method = dc_method_find(cfg->cluster.method);
    DC_TRY(dc_deck_slab(cfg, 0, &slab));
    const dc_net *net = &slab.net;
    add_layers(&pretrained, net, 0, net->n_encoder, "encoder");
    clustered = pretrained;
    add_layers(&pretrained, net, net->n_encoder, net->n_layers, "decoder");
    if (method->flags & DC_METHOD_RECONSTRUCTS) clustered = pretrained;
    add_own(&clustered, &slab);
    if (cfg->pretrain.mode != DC_PRETRAIN_NONE) DC_TRY(check(&cfg->pretrain.opt.lr_factors, &pretrained, "pretrain"));
    if (method->flags & DC_METHOD_TRAINS) DC_TRY(check(&cfg->cluster.opt.lr_factors, &clustered, "cluster"));
out:
    return st;
}
