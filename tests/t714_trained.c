/* The steps of a method train exactly what the method declares (tensors of its build(), the decoder by
 * DC_METHOD_RECONSTRUCTS); deck keys that name tensors are checked against this before any step is recorded. */
#include "check.h"
#include "dcmpi/method.h"
#include "dcmpi/op.h"
#include "method_keys.h"

enum { N = 20, D = 9, L = 3, K = 2, NAMES_MAX = 32 };
static const int64_t hidden = 5;

typedef struct {
    const char *name[NAMES_MAX];
    int n;
} names;

static bool has(const names *of, const char *name)
{
    for (int i = 0; i < of->n; i++)
        if (strcmp(of->name[i], name) == 0) return true;
    return false;
}

static void add_trained(const dc_graph *g, names *to)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = &g->node[i];
        if (x->op != &dc_op_use || !x->tensor.trained || has(to, x->tensor.name)) continue;
        CHECK(to->n < NAMES_MAX);
        to->name[to->n++] = x->tensor.name;
    }
}

static void say(const dc_method *m, const dc_slab *slab, names *to)
{
    const dc_net *net = &slab->net;
    const int last = m->flags & DC_METHOD_RECONSTRUCTS ? net->n_layers : net->n_encoder;
    for (int l = 0; l < last && m->n_steps > 0; l++) to->name[to->n++] = net->layer[l].name;
    for (int i = 1; m->n_steps > 0 && (net = dc_slab_net_at(slab, i)) != NULL; i++)
        for (int l = 0; l < net->n_layers; l++) to->name[to->n++] = net->layer[l].name;
    for (int i = 0; i < slab->n_tensors && m->n_steps > 0; i++)
        if (slab->tensor[i].trained) to->name[to->n++] = slab->tensor[i].name;
}

static void test_method(const dc_method *m)
{
    dc_part part;
    dc_net net;
    names said = {0}, trained = {0};
    dc_slab slab;
    dc_method_state *state;
    CHECK_OK(dc_part_init(&part, N, 4, 1, 0));
    CHECK_OK(dc_net_init(&net, D, &hidden, 1, L, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    dc_method_env env = {.part = &part, .K = K, .L = L, .keys = method_keys(m, ""), .slab = &slab, .epoch_steps = 1};
    dc_slab_init(&slab, &net);
    m->build(&env, &slab);
    CHECK_OK(m->create(&env, &state));
    for (int i = 0; i < m->n_steps; i++) {
        dc_graph *g;
        CHECK_OK(dc_graph_create(&g));
        m->record(g, state, i);
        CHECK_OK(dc_graph_finish(g));
        add_trained(g, &trained);
        dc_graph_destroy(&g);
    }
    say(m, &slab, &said);
    CHECK_INT(m->n_steps > 0, (m->flags & DC_METHOD_TRAINS) != 0);
    for (int i = 0; i < trained.n; i++)
        if (!CHECK(has(&said, trained.name[i]))) printf("#   %s trains %s\n", m->name, trained.name[i]);
    for (int i = 0; i < said.n; i++)
        if (!CHECK(has(&trained, said.name[i]))) printf("#   %s does not train %s\n", m->name, said.name[i]);
    m->destroy(&state); /* names of its networks lie there */
}

int main(void)
{
    const dc_method *m;
    for (int i = 0; (m = dc_method_at(i)) != NULL; i++) test_method(m);
    return check_done();
}
