/* A step of DCEC, IDEC's loss on a convolutional autoencoder, from given weights and centres, with the target of a
 * refresh at others, against PyTorch's autograd (tests/golden/dcec.txt): loss, gradients of all kernels, weights,
 * biases and centres, the weights after SGD. By every way. ranks: 1 2 3 5  threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/net_text.h"
#include "golden/golden_method.h"
#include "ref/one_step.h"

enum { K = 3 };
static const char file[] = "dcec.txt";
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.02};

static dc_net build_net(void)
{
    char why[DC_NET_WHY_MAX];
    dc_net net;
    dc_net_text t = {.image = {4, 3, 1}};
    CHECK(dc_net_text_encoder("conv 3x2x4 /2 relu, conv 2x2x5 valid relu, dense 3", &t, why));
    CHECK(dc_net_text_decoder("~encoder", &t, why));
    CHECK_OK(dc_net_build(&net, GOLDEN_D, &t));
    return net;
}

static void check_step(dc_comm *comm, int way)
{
    golden_method s;
    double loss[DC_GRAPH_LOSSES];
    const dc_net net = build_net();
    golden_method_open(comm, &s, file, "idec", "gamma=0.1 loss=mse", K, &net, way);
    golden_give_tensor(&s, "centers", "refresh/mu");
    golden_refresh(comm, &s);
    golden_give_tensor(&s, "centers", "mu");
    const float *value = s.env.value, *grad = s.base.model.params.grad;

    CHECK_INT(dc_step_run(comm, s.step[0], 0, loss), GOLDEN_N);
    golden_check_loss(file, "one", s.graph[0], loss);
    one_step_share(comm, s.step[0], s.base.model.params.grad);
    golden_check_nets(&s, file, "one/grad", grad, 5e-6);
    golden_check_tensor(&s, "centers", file, "one/grad", "mu", grad, 5e-6);
    dc_step_update(comm, s.step[0], &sgd, 0, 1);
    golden_check_nets(&s, file, "one/moved", value, 1e-6);
    golden_check_tensor(&s, "centers", file, "one/moved", "mu", value, 1e-6);
    golden_method_close(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (int way = 0; way < GOLDEN_WAYS; way++) check_step(comm, way);
    return check_done_all(&comm);
}
