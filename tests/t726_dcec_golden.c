/* A step of DCEC, IDEC's loss on a convolutional autoencoder, from given weights, centres and target against PyTorch's
 * autograd (tests/golden/dcec.txt): loss, gradients of all kernels, weights, biases and centres, the weights after SGD.
 * By every way. ranks: 1 2 3 5  threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/net_text.h"
#include "golden/golden_net.h"
#include "method/methods.h"
#include "method_keys.h"
#include "ref/one_step.h"

enum { N = 17, K = 3, CENTERS = K * GOLDEN_L };
static const char file[] = "dcec.txt";
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.02};

static void build(dc_net *net)
{
    char why[DC_NET_WHY_MAX];
    dc_net_text t = {.image = {4, 3, 1}};
    CHECK(dc_net_text_encoder("conv 3x2x4 /2 relu, conv 2x2x5 valid relu, dense 3", &t, why));
    CHECK(dc_net_text_decoder("~encoder", &t, why));
    CHECK_OK(dc_net_build(net, GOLDEN_D, &t));
}

static void check_step(dc_comm *comm, bool strict, int64_t gather_rows)
{
    golden_setup s = {0};
    float x[N * GOLDEN_D], target[N * K], mu[CENTERS];
    double loss[DC_GRAPH_LOSSES], golden[2], total = 0, recon = 0;
    dc_method_state *state;
    dc_graph *g;
    dc_step *step;
    const dc_method *idec = dc_method_find("idec");
    CHECK(golden_read_f32(file, "x", x, N * GOLDEN_D) && golden_read_f32(file, "p", target, N * K));
    golden_data(comm, &s.data, x, N, 0);
    build(&s.net);
    dc_slab_init(&s.slab, &s.net);
    CHECK_OK(dc_progress_open(&s.progress, NULL, 1e9));
    dc_method_env env = {.part = &s.data.part,
                         .K = K,
                         .L = GOLDEN_L,
                         .keys = method_keys(idec, "gamma=0.1 loss=mse"),
                         .kmeans = {.K = K, .n_init = 1, .max_iter = 1, .seed = 1},
                         .slab = &s.slab,
                         .epoch_steps = 1};
    idec->build(&env, &s.slab);
    golden_model(&s, file);
    s.model.strict = strict;
    s.model.gather_rows = gather_rows;
    env.value = s.model.params.value;
    float *centers = s.model.params.value + dc_slab_find(&s.slab, "centers")->at;
    CHECK(golden_read_f32(file, "mu", centers, CENTERS));
    CHECK_OK(idec->create(&env, &state));
    memcpy(state->P, target + s.data.part.row_lo * K, (size_t)(dc_part_rows(&s.data.part) * K) * sizeof *target);
    CHECK_OK(dc_graph_create(&g));
    idec->record(g, state, 0);
    CHECK_OK(dc_graph_finish(g));
    const dc_row_source rows = dc_model_rows(&s.model);
    const dc_step_config cfg = dc_model_step(&s.model, g, &rows, N, DC_T_CLUSTER_GATHER);
    CHECK_OK(dc_step_create(&step, &cfg));

    CHECK_INT(dc_step_run(comm, step, 0, loss), N);
    for (int i = 0; i < g->n_losses; i++) {
        total += loss[i];
        if (strcmp(g->loss[i].name, "reconstruction") == 0) recon += loss[i];
    }
    CHECK(golden_read(file, "one/loss", golden, 2));
    CHECK_NEAR(total, golden[0], 1e-6 * golden[0]);
    CHECK_NEAR(recon, golden[1], 1e-6 * golden[1]);
    one_step_share(comm, step, s.model.params.grad);
    golden_check_slab(file, &s.net, "one/grad", s.model.params.grad, 5e-6);
    CHECK(golden_read_f32(file, "one/grad/mu", mu, CENTERS));
    CHECK_ARRAY_NEAR(s.model.params.grad + s.net.n_params, mu, CENTERS, 5e-6);
    dc_step_update(comm, step, &sgd, 0, 1);
    golden_check_slab(file, &s.net, "one/moved", s.model.params.value, 1e-6);
    CHECK(golden_read_f32(file, "one/moved/mu", mu, CENTERS));
    CHECK_ARRAY_NEAR(centers, mu, CENTERS, 1e-6);

    dc_step_destroy(&step);
    dc_graph_destroy(&g);
    idec->destroy(&state);
    golden_close(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    check_step(comm, false, 0);
    check_step(comm, true, N);
    check_step(comm, true, 0);
    return check_done_all(&comm);
}
