/* What the methods with discriminators share: the networks, their losses, their failures. A discriminator D gives a
 * logit per row; the last layer's sigmoid is part of the losses, -ln D = softplus(-logit) and -ln(1 - D) =
 * softplus(logit), which neither overflow nor saturate. */
#include <math.h>
#include <stdio.h>

#include "dcmpi/net_text.h"
#include "methods.h"

void dc_adversary_build(dc_slab *slab, const char *name, int64_t width, const dc_adversary_keys *keys, const char *act)
{
    char text[DC_NET_TEXT_MAX];
    int n = 0;
    for (int i = 0; i < keys->discriminator.n; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "dense %lld %s, ", (long long)keys->discriminator.v[i], act);
    snprintf(text + n, sizeof text - (size_t)n, "dense 1");
    dc_slab_add_net(slab, name, width, text);
}

static dc_val logit(dc_graph *g, const dc_net *net, bool trained, dc_val x)
{
    return dc_layers(g, net, 0, net->n_layers, trained, x);
}

/* -ln D(x) of a logit. */
static dc_val minus_log(dc_graph *g, dc_val x)
{
    return dc_map(g, DC_SOFTPLUS, dc_map(g, DC_MUL, x, dc_number(g, -1)), DC_NONE);
}

dc_val dc_adversary_tells(dc_graph *g, const dc_net *net, dc_val drawn, dc_val made)
{
    const dc_val missed = dc_map(g, DC_SOFTPLUS, logit(g, net, true, dc_stop_gradient(g, made)), DC_NONE);
    return dc_map(g, DC_ADD, minus_log(g, logit(g, net, true, drawn)), missed);
}

dc_val dc_adversary_passes(dc_graph *g, const dc_net *net, dc_val made)
{
    return minus_log(g, logit(g, net, false, made));
}

void dc_adversary_turn(const dc_adversary_keys *keys, bool of_discriminator, dc_turn *turn)
{
    if (!of_discriminator)
        turn->every = keys->encoder_every;
    else if (keys->lr > 0)
        turn->opt.lr = keys->lr;
}

const dc_method_failure *dc_adversary_failed(const dc_adversary_failures *f, const double *loss, size_t n, int stride)
{
    static const double WINS = 0.05, CLOSE = 0.01, CHANCE = 2 * 0.69314718055994531;
    static const size_t ENOUGH = 3;
    size_t idle = 0;
    for (size_t i = 0; i < n; i++) idle += fabs(loss[i * (size_t)stride] - CHANCE) < CLOSE;
    if (loss[(n - 1) * (size_t)stride] < WINS) return &f->wins;
    return f->idle.what && n >= ENOUGH && idle == n ? &f->idle : NULL;
}
