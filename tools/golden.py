#!/usr/bin/python3
"""Writes tests/golden/*.txt: reference numbers from PyTorch autograd in double precision.

Needs Debian's python3-torch; the tests themselves only read the text files. Inputs are rounded to float32 first, so a
single-precision program can start from exactly the same values.

Format: '#' starts a comment line; an array is a line "name rows cols" followed by `rows` lines of `cols` numbers.
"""
import os
import sys
from dataclasses import dataclass

import numpy
import torch
import torch.nn.functional as F

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden")
torch.manual_seed(20240611)
torch.set_default_dtype(torch.float64)


class Writer:
    def __init__(self, name, about, maker="tools/golden.py (PyTorch, double)"):
        self.file = open(os.path.join(OUT, name), "w")
        for line in ["Made by %s; read by tests/golden/golden.h." % maker] + about:
            self.file.write("# " + line + "\n")

    def put(self, name, value):
        v = torch.as_tensor(value).detach().to(torch.float64)
        v = v.reshape(1, -1) if v.dim() < 2 else v
        self.file.write("%s %d %d\n" % (name, v.shape[0], v.shape[1]))
        for row in v.tolist():
            self.file.write(" ".join("%.12g" % x for x in row) + "\n")

    def put_all(self, arrays, prefix=""):
        for name, value in arrays.items():
            self.put(prefix + name, value)

    def close(self):
        self.file.close()


def single(t):
    """Round to float32, keep as double."""
    return t.to(torch.float32).to(torch.float64)


# ---- DEC: Student-t soft assignment, target, KL gradient ----------------------------------------------------------

def soft_assign(z, mu, alpha):
    d = ((z[:, None, :] - mu[None, :, :]) ** 2).sum(2)
    return torch.softmax(-(alpha + 1) / 2 * torch.log1p(d / alpha), dim=1)


def target(q):
    w = q ** 2 / q.sum(0)
    return w / w.sum(1, keepdim=True)


def mean_kl(p, q):
    return (p * (p / q).log()).sum() / len(p)


def write_dec():
    out = Writer("dec.txt", [
        "z [N x L], mu [K x L]; for alpha = 1 (prefix a1) and 1.7 (prefix a17):",
        "  q = soft assignment of z, f = its column sums, p = target of q, label = argmax q;",
        "  batch: rows (indices into z and p), zb = their latent values after they moved; B = global batch (> rows);",
        "  qb = soft assignment of zb, loss = 1/B sum p log(p/qb), dz = dloss/dzb, dmu = dloss/dmu with p constant."])
    N, K, L, B = 9, 4, 3, 8
    mu = single(torch.randn(K, L))
    z = single(torch.cat([mu, mu, mu])[:N] + 0.7 * torch.randn(N, L))
    rows = torch.tensor([7, 2, 5, 0, 8, 3])
    zb = single(z[rows] + 0.05 * torch.randn(len(rows), L))
    for name, value in (("z", z), ("mu", mu), ("rows", rows), ("zb", zb), ("B", B)):
        out.put(name, value)
    for prefix, alpha in (("a1", 1.0), ("a17", 1.7)):
        q = soft_assign(z, mu, alpha)
        p = target(q)
        zv, mv = zb.clone().requires_grad_(), mu.clone().requires_grad_()
        qb = soft_assign(zv, mv, alpha)
        pb = p[rows]
        loss = (pb * (pb.log() - qb.log())).sum() / B
        loss.backward()
        for name, value in (("alpha", alpha), ("q", q), ("f", q.sum(0)), ("p", p), ("label", q.argmax(1)), ("qb", qb),
                            ("loss", loss), ("dz", zv.grad), ("dmu", mv.grad)):
            out.put(prefix + "/" + name, value)
    out.close()


# ---- autoencoder --------------------------------------------------------------------------------------------------

WIDTHS = [12, 7, 5, 3]
SLOPE = 0.01  # of the leaky ReLU
ACT = {"linear": lambda x: x, "relu": torch.relu, "leaky_relu": lambda x: F.leaky_relu(x, SLOPE),
       "tanh": torch.tanh, "sigmoid": torch.sigmoid, "elu": F.elu, "selu": F.selu, "softplus": F.softplus, "gelu": F.gelu}
# y: output of the network before its sigmoid for bce, else the output; x: what it should be; B: rows of the global batch.
LOSS = {"mse": lambda y, x, B: ((y - x) ** 2).sum() / (B * x.shape[1]), "mse_sum": lambda y, x, B: ((y - x) ** 2).sum() / B,
        "mse_half_sum": lambda y, x, B: ((y - x) ** 2).sum() / (2 * B),
        "bce": lambda y, x, B: F.binary_cross_entropy_with_logits(y, x, reduction="sum") / (B * x.shape[1])}


def layer_names():
    n = len(WIDTHS) - 1
    return ["encoder_%d" % i for i in range(n)] + ["decoder_%d" % i for i in range(n)]


def make_parameters():
    widths = WIDTHS + WIDTHS[-2::-1]
    par = {}
    for name, n_in, n_out in zip(layer_names(), widths[:-1], widths[1:]):
        par[name + "/weight"] = single((torch.rand(n_in, n_out) * 2 - 1) * (3.0 / n_in) ** 0.5)
        par[name + "/bias"] = single((torch.rand(n_out) * 2 - 1) * 0.3)
    return par


def forward(par, x, hidden):
    """Hidden layers use `hidden`; the embedding and the output are linear."""
    names, acts = layer_names(), []
    for i, name in enumerate(names):
        x = x @ par[name + "/weight"] + par[name + "/bias"]
        if i not in (len(names) // 2 - 1, len(names) - 1):
            x = ACT[hidden](x)
        acts.append(x)
    return acts


def gradients(par, x, hidden, loss, B):
    leaf = {k: v.clone().requires_grad_() for k, v in par.items()}
    acts = forward(leaf, x, hidden)
    value = LOSS[loss](acts[-1], x, B)
    value.backward()
    return acts, value, {k: v.grad for k, v in leaf.items()}


def keras_sgd(par, grad, state, t, lr=0.3, momentum=0.9):
    for k in par:
        state[k] = momentum * state.get(k, 0) - lr * grad[k]
        par[k] = par[k] + state[k]


def keras_adam(par, grad, state, t, lr=0.01, b1=0.9, b2=0.999, eps=1e-7):
    """As in Keras: the bias correction is in the learning rate, eps is added to the uncorrected root."""
    lr_t = lr * (1 - b2 ** (t + 1)) ** 0.5 / (1 - b1 ** (t + 1))
    for k in par:
        m, v = state.get(k, (0, 0))
        m, v = b1 * m + (1 - b1) * grad[k], b2 * v + (1 - b2) * grad[k] ** 2
        state[k] = (m, v)
        par[k] = par[k] - lr_t * m / (v.sqrt() + eps)


def keras_nesterov(par, grad, state, t, lr=0.3, momentum=0.9):
    """SGD(nesterov=True)."""
    for k in par:
        state[k] = momentum * state.get(k, 0) - lr * grad[k]
        par[k] = par[k] + momentum * state[k] - lr * grad[k]


def ten_steps(par, x, update):
    par, state = dict(par), {}
    for t in range(10):
        update(par, gradients(par, x, "relu", "mse", x.shape[0])[2], state, t)
    return par


def ten_steps_torch(par, x, make, clip_norm=None, rate=lambda name, t: 0.5 if t >= 5 else 1.0):
    """Ten steps of the optimizer make([group of one parameter ...]); rate: factor of its lr. The default rate drops after some
    steps, because there Keras and PyTorch differ."""
    leaf = {k: v.clone().requires_grad_() for k, v in par.items()}
    opt = make([{"params": [v], "name": k} for k, v in leaf.items()])
    lr = opt.param_groups[0]["lr"]
    for group in opt.param_groups:
        if group["name"].endswith("bias"):
            group["weight_decay"] = 0
    for t in range(10):
        for group in opt.param_groups:
            group["lr"] = lr * rate(group["name"], t)
        opt.zero_grad()
        LOSS["mse"](forward(leaf, x, "relu")[-1], x, x.shape[0]).backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(list(leaf.values()), clip_norm)
        opt.step()
    return leaf


def factor_rate(name, t):
    """The rate falls to a tenth every three steps, no lower than 0.02 of the first; factors by name, biases times two."""
    own = (0.5 if name.startswith("encoder") else 1) * (3 if "encoder_1" in name else 1) * (2 if name.endswith("bias") else 1)
    return own * max(0.1 ** (t // 3), 0.02)


def write_autoencoder():
    out = Writer("autoencoder.txt", [
        "Autoencoder 12-7-5-3-5-7-12, embedding and output linear; weights are [in x out].",
        "x: batch; start/*: parameters; act_<i>: outputs of the layers for ReLU hidden layers;",
        "<activation>/<loss>/...: loss for a global batch of 11 rows and its gradients; dx through the network only;",
        "  for bce the output is a sigmoid and xhat are its logits;",
        "sgd/*, sgd_torch/*, adam/*: parameters after ten full-batch steps on the mse loss (global batch = rows of x):",
        "  Keras SGD lr 0.3 momentum 0.9, halved from step 5 on; PyTorch SGD the same;",
        "  Adam Keras form lr 0.01 betas .9 .999 eps 1e-7;",
        "nesterov/*, nesterov_torch/*: as sgd and sgd_torch, with nesterov=True; rmsprop/*: PyTorch, lr 0.01 alpha .9 eps 1e-7;",
        "decay/*: rmsprop with weight_decay .3 on weights; clip/*: nesterov_torch with lr 1, weight_decay .01 on weights, gradients",
        "  clipped to norm .12 before; factors/*: sgd_torch, lr 0.3 times a tenth every 3 steps but at least 0.006, encoder layers",
        "  half of that, encoder_1 thrice, biases twice."])
    x, par, B = single(torch.rand(8, WIDTHS[0])), make_parameters(), 11
    out.put("x", x)
    out.put("B", B)
    out.put_all(par, "start/")
    for i, a in enumerate(forward(par, x, "relu")):
        out.put("act_%d" % i, a)
    for hidden, loss in [("relu", "mse"), ("relu", "mse_sum"), ("relu", "mse_half_sum"), ("leaky_relu", "mse"),
                         ("tanh", "mse"), ("sigmoid", "mse"), ("linear", "mse"), ("relu", "bce"), ("elu", "mse"),
                         ("selu", "mse"), ("softplus", "mse"), ("gelu", "mse")]:
        prefix = hidden + "/" + loss + "/"
        acts, value, grad = gradients(par, x, hidden, loss, B)
        xv = x.clone().requires_grad_()
        LOSS[loss](forward(par, xv, hidden)[-1], x, B).backward()
        out.put(prefix + "loss", value)
        out.put(prefix + "xhat", acts[-1])
        out.put(prefix + "dx", xv.grad)
        out.put_all(grad, prefix)
    halved = lambda p, g, s, t: keras_sgd(p, g, s, t, lr=0.3 * (0.5 if t >= 5 else 1.0))
    halved_nesterov = lambda p, g, s, t: keras_nesterov(p, g, s, t, lr=0.3 * (0.5 if t >= 5 else 1.0))
    sgd, rmsprop = torch.optim.SGD, torch.optim.RMSprop
    constant = lambda name, t: 1
    for name, final in (
            ("sgd", ten_steps(par, x, halved)),
            ("sgd_torch", ten_steps_torch(par, x, lambda p: sgd(p, lr=0.3, momentum=0.9))),
            ("adam", ten_steps(par, x, keras_adam)),
            ("nesterov", ten_steps(par, x, halved_nesterov)),
            ("nesterov_torch", ten_steps_torch(par, x, lambda p: sgd(p, lr=0.3, momentum=0.9, nesterov=True))),
            ("rmsprop", ten_steps_torch(par, x, lambda p: rmsprop(p, lr=0.01, alpha=0.9, eps=1e-7), rate=constant)),
            ("decay", ten_steps_torch(par, x, lambda p: rmsprop(p, lr=0.01, alpha=0.9, eps=1e-7, weight_decay=0.3), rate=constant)),
            ("clip", ten_steps_torch(par, x, lambda p: sgd(p, lr=1, momentum=0.9, nesterov=True, weight_decay=0.01), 0.12)),
            ("factors", ten_steps_torch(par, x, lambda p: sgd(p, lr=0.3, momentum=0.9), rate=factor_rate))):
        out.put_all(final, name + "/")
    out.close()


# ---- layer-wise pretraining ---------------------------------------------------------------------------------------

SEED = 0x123456789ABCD
MAX_LAYERS, STREAM_DROPOUT = 32, 6  # of nn.h and rng.h


def philox(seed, stream, step, index):
    """Philox4x32-10 (Salmon et al., SC11): four 32-bit words for each index; counter {index, step, stream}, key seed."""
    low = numpy.uint64(0xFFFFFFFF)
    index = numpy.asarray(index, dtype=numpy.uint64)
    c = [index & low, index >> numpy.uint64(32), numpy.full_like(index, step & 0xFFFFFFFF),
         numpy.full_like(index, (step >> 32 & 0xFFFF) | stream << 16)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = c[0] * numpy.uint64(0xD2511F53), c[2] * numpy.uint64(0xCD9E8D57)
        c = [(b >> numpy.uint64(32)) ^ c[1] ^ numpy.uint64(key[0]), b & low,
             (a >> numpy.uint64(32)) ^ c[3] ^ numpy.uint64(key[1]), a & low]
        key = [key[0] + 0x9E3779B9 & 0xFFFFFFFF, key[1] + 0xBB67AE85 & 0xFFFFFFFF]
    return numpy.stack(c, axis=-1)


def dropout_mask(rate, step, site, rows, width, seed=SEED):
    """0 or 1/(1-rate) for each (row, unit), as dc_dropout_apply() makes it."""
    blocks = (width + 3) // 4
    index = numpy.asarray(rows)[:, None] * blocks + numpy.arange(blocks)
    words = philox(seed, STREAM_DROPOUT, step * MAX_LAYERS + site, index).reshape(len(rows), -1)[:, :width]
    return torch.as_tensor((words >= int(rate * 2 ** 32)) / (1 - rate))


@dataclass
class Sgd:
    """SGD with momentum burn-in, step schedule and a rate of its own for biases."""
    rate_in_velocity: bool  # Keras, Caffe; else PyTorch
    lr: float
    momentum: float
    burnin: int
    bias_lr: float
    lr_step: int
    lr_factor: float

    def update(self, par, velocity, t):
        momentum = self.momentum * min(1, t / self.burnin)
        for k in par:
            rate = self.lr * self.lr_factor ** (t // self.lr_step) * (self.bias_lr if k.endswith("bias") else 1)
            inside, outside = (rate, 1) if self.rate_in_velocity else (1, rate)
            velocity[k] = momentum * velocity.get(k, 0) + inside * par[k].grad
            par[k] = (par[k] - outside * velocity[k]).detach().requires_grad_()


def train(par, names, steps, loss_of, sgd):
    """`steps` updates of the named parameters; returns the losses before them."""
    sub, velocity, losses = {k: par[k].clone().requires_grad_() for k in names}, {}, []
    for t in range(steps):
        loss = loss_of(sub, t)
        loss.backward()
        losses.append(loss.item())
        sgd.update(sub, velocity, t)
    par.update({k: v.detach() for k, v in sub.items()})
    return losses


def dense(par, name, x, act):
    return ACT[act](x @ par[name + "/weight"] + par[name + "/bias"])


def layerwise(out, prefix, x, par, hidden, loss, rates, steps, sgd):
    """rates: dropout of the data and of all else; steps: those of each pair and of the fine-tuning."""
    par, n, rows = dict(par), len(WIDTHS) - 1, numpy.arange(len(x))
    clean = x
    for l in range(n):
        enc, dec = "encoder_%d" % l, "decoder_%d" % (n - 1 - l)
        enc_act, dec_act = "linear" if l == n - 1 else hidden, "linear" if l == 0 else hidden
        kind = "mse" if loss == "bce" and l > 0 else loss

        def noisy_loss(sub, t):
            damaged = clean * dropout_mask(rates[l > 0], t, 2 * l, rows, clean.shape[1])
            h = dense(sub, enc, damaged, enc_act)
            if l < n - 1:
                h = h * dropout_mask(rates[1], t, 2 * l + 1, rows, h.shape[1])
            return LOSS[kind](dense(sub, dec, h, dec_act), clean, len(x))

        names = [k for k in par if k.startswith((enc, dec))]
        out.put("%s/layer_%d/loss" % (prefix, l + 1), train(par, names, steps[0], noisy_loss, sgd))
        clean = dense(par, enc, clean, enc_act).detach()
    out.put_all(par, prefix + "/stacked/")
    whole = lambda sub, t: LOSS[loss](forward(sub, x, hidden)[-1], x, len(x))
    out.put(prefix + "/finetune/loss", train(par, list(par), steps[1], whole, sgd))
    out.put_all(par, prefix + "/final/")


def write_layerwise():
    out = Writer("layerwise.txt", [
        "Greedy layer-wise pretraining of the autoencoder of autoencoder.txt, all rows in every batch, seed 0x123456789abcd.",
        "mask: dropout at rate .25 of rows 0, 3, 70000, 5000000000 x 7 units, step 5, site 3.",
        "x: data; start/*: parameters; caffe, torch: two runs, each with the losses of all steps of all phases,",
        "stacked/*: parameters after the pairs, final/*: after fine-tuning.",
        "caffe: ReLU, loss mse_half_sum, dropout 0 and .2; SGD lr .05 momentum .9 burn-in 4, biases twice the rate, halved",
        "  every 5 steps; 9 steps per pair, 7 of fine-tuning.",
        "torch: tanh, loss bce (mse for hidden pairs), dropout .3 and .4; PyTorch's SGD lr .2 momentum .8 burn-in 3, biases",
        "  half the rate, a tenth every 6 steps; 8 steps per pair, 5 of fine-tuning."])
    x, par = single(torch.rand(13, WIDTHS[0])), make_parameters()
    out.put("mask", dropout_mask(0.25, 5, 3, [0, 3, 70000, 5000000000], 7))
    out.put("x", x)
    out.put_all(par, "start/")
    layerwise(out, "caffe", x, par, "relu", "mse_half_sum", (0, 0.2), (9, 7), Sgd(True, 0.05, 0.9, 4, 2, 5, 0.5))
    layerwise(out, "torch", x, par, "tanh", "bce", (0.3, 0.4), (8, 5), Sgd(False, 0.2, 0.8, 3, 0.5, 6, 0.1))
    out.close()


# ---- clustering -----------------------------------------------------------------------------------------------------

K = 3


@dataclass
class Clustering:
    """One run of DEC (gamma None) or IDEC: target refreshed every `interval` of ten steps, all rows in every batch."""
    loss: str
    gamma: float
    alpha: float
    interval: int
    optimizer: str  # keras, torch, adam
    lr: float
    momentum: float = 0.9


def embed(par, x):
    return forward(par, x, "relu")[len(WIDTHS) - 2]


def kmeans(z, group):
    """Lloyd's iteration from the means of the groups that the rows were drawn from."""
    for _ in range(50):
        mu = torch.stack([z[group == k].mean(0) for k in range(K)])
        group = ((z[:, None, :] - mu[None, :, :]) ** 2).sum(2).argmin(1)
    return mu


def joint_loss(leaf, x, p, run):
    """The loss that is minimised, and its reconstruction part."""
    q = soft_assign(embed(leaf, x), leaf["mu"], run.alpha)
    kl = (p * (p.log() - q.log())).sum() / len(x)
    if run.gamma is None:
        return kl, torch.zeros(())
    recon = LOSS[run.loss](forward(leaf, x, "relu")[-1], x, len(x))
    return recon + run.gamma * kl, recon


def optimizer_of(run):
    if run.optimizer == "adam":
        return lambda par, grad, state, t: keras_adam(par, grad, state, t, lr=run.lr)
    if run.optimizer == "keras":
        return lambda par, grad, state, t: keras_sgd(par, grad, state, t, lr=run.lr, momentum=run.momentum)

    def torch_sgd(par, grad, state, t):
        for k in par:
            state[k] = run.momentum * state.get(k, 0) + grad[k]
            par[k] = par[k] - run.lr * state[k]
    return torch_sgd


def cluster(out, prefix, x, group, par, run, steps=10):
    par = dict(par, mu=kmeans(embed(par, x), group))
    trained = [k for k in par if run.gamma is not None or not k.startswith("decoder")]
    update, state, records, last = optimizer_of(run), {}, [], (0.0, 0.0)
    out.put(prefix + "/start_mu", par["mu"])
    for t in range(steps + 1):
        if t % run.interval == 0 or t == steps:
            q = soft_assign(embed(par, x), par["mu"], run.alpha)
            p = target(q)
            records.append([t, (p * (p.log() - q.log())).sum().item() / len(x), *last])
        if t == steps:
            break
        leaf = {k: v.clone().requires_grad_() for k, v in par.items()}
        total, recon = joint_loss(leaf, x, p, run)
        total.backward()
        last = (total.item(), recon.item())
        sub = {k: par[k] for k in trained}
        update(sub, {k: leaf[k].grad for k in trained}, state, t)
        par.update(sub)
    out.put(prefix + "/records", records)
    out.put(prefix + "/q", q)
    out.put_all(par, prefix + "/final/")


def write_clustering():
    out = Writer("clustering.txt", [
        "DEC and IDEC with the autoencoder of autoencoder.txt (ReLU), 3 clusters, ten steps, all rows in every batch.",
        "x: data; start/*: parameters; then for each run:",
        "start_mu: k-means on the embedding; records: one row per refresh of the target, at every interval and after the last",
        "  step: step, KL(P || Q) / N with the fresh target, loss of the step before, its reconstruction part;",
        "q, final/*: soft assignment, parameters and centres (mu) after the last step. Clusters are in any order.",
        "adam: IDEC, mse + .1 KL, alpha 1, every 3 steps, Adam Keras form lr .01;",
        "sum: IDEC, mse_sum + .7 KL, alpha 1.7, every 4 steps, Keras SGD lr .002 momentum .9;",
        "half: IDEC, mse_half_sum + 3 KL, alpha 1, every step, PyTorch's SGD lr .005 momentum .8;",
        "dec: DEC, alpha 1, every 5 steps, Keras SGD lr .1 momentum .9; the decoder keeps its weights."])
    group = torch.arange(17) % K
    x, par = single(2 * torch.eye(K).repeat_interleave(WIDTHS[0] // K, 1)[group] + 0.4 * torch.randn(17, WIDTHS[0])), make_parameters()
    out.put("x", x)
    out.put_all(par, "start/")
    cluster(out, "adam", x, group, par, Clustering("mse", 0.1, 1, 3, "adam", 0.01))
    cluster(out, "sum", x, group, par, Clustering("mse_sum", 0.7, 1.7, 4, "keras", 0.002))
    cluster(out, "half", x, group, par, Clustering("mse_half_sum", 3, 1, 1, "torch", 0.005, 0.8))
    cluster(out, "dec", x, group, par, Clustering("", None, 1, 5, "keras", 0.1))
    out.close()


# ---- DCN, DKM -------------------------------------------------------------------------------------------------------

def distances(z, mu):
    return ((z[:, None, :] - mu[None, :, :]) ** 2).sum(2)


def dcn_loss(leaf, x, loss, beta, mu, label):
    """Yang et al. 2017: reconstruction, and squared distances to the row's centre; centres and labels are fixed."""
    own = ((embed(leaf, x) - mu[label]) ** 2).sum(1).mean()
    recon = LOSS[loss](forward(leaf, x, "relu")[-1], x, len(x))
    return recon + beta * own, recon


def dcn_move(par, x, mu, counts):
    """Updates labels, centres and counts after the network's step: the authors' loop over the rows, one by one."""
    z = embed(par, x)
    label, mu, counts = distances(z, mu).argmin(1), mu.clone(), counts.clone()
    for row, k in zip(z, label):
        counts[k] += 1
        mu[k] = mu[k] - (mu[k] - row) / counts[k]
    return label, mu, counts


def dkm_loss(leaf, x, loss, weight, alpha):
    """Fard et al. 2020: distances to all centres, weighted by a softmax of them."""
    d = distances(embed(leaf, x), leaf["mu"])
    share = torch.exp(-alpha * (d - d.min(1, keepdim=True)[0]))
    own = (d * share / share.sum(1, keepdim=True)).sum(1).mean()
    recon = LOSS[loss](forward(leaf, x, "relu")[-1], x, len(x))
    return recon + weight * own, recon


def dkm_alphas(n):
    alphas = [0.1]
    while len(alphas) < n:
        alphas.append(2 ** (1 / numpy.log(len(alphas) + 1) ** 2) * alphas[-1])
    return alphas


def learn(out, prefix, par, loss_of, lr):
    """Loss and gradients, and the parameters after one step of SGD."""
    leaf = {k: v.clone().requires_grad_() for k, v in par.items()}
    total, recon = loss_of(leaf)
    total.backward()
    out.put(prefix + "/loss", [total.item(), recon.item()])
    for k in par:
        out.put("%s/grad/%s" % (prefix, k), leaf[k].grad)
    par = {k: par[k] - lr * leaf[k].grad for k in par}
    out.put_all(par, prefix + "/moved/")
    return par


def centers_run(out, prefix, x, group, par, update, loss_of, after=None, steps=10):
    """Ten steps from k-means; loss_of(leaf, mu, label, t); without `after` the centres are trained."""
    mu = kmeans(embed(par, x), group)
    par = dict(par) if after else dict(par, mu=mu)
    label, counts, state, last, records = distances(embed(par, x), mu).argmin(1), torch.full((K,), 100.0), {}, (0.0, 0.0), []
    for t in range(steps + 1):
        if t in (0, steps):
            records.append([t, 0, *last])
        if t == steps:
            break
        leaf = {k: v.clone().requires_grad_() for k, v in par.items()}
        total, recon = loss_of(leaf, mu, label, t)
        total.backward()
        last = (total.item(), recon.item())
        update(par, {k: leaf[k].grad for k in par}, state, t)
        if after:
            label, mu, counts = after(par, x, mu, counts)
    mu = mu if after else par["mu"]
    out.put(prefix + "/records", records)
    out.put(prefix + "/q", soft_assign(embed(par, x), mu, 1))
    out.put_all(dict(par, mu=mu), prefix + "/final/")
    if after:
        out.put(prefix + "/final/counts", counts)


def write_centers():
    out = Writer("centers.txt", [
        "DCN and DKM with the autoencoder of autoencoder.txt (ReLU), 3 clusters, all rows in every batch.",
        "x: data; start/*: parameters; mu, label, counts: centres, labels, rows that each centre had so far.",
        "one_dcn: a step from there, mse_sum + .3 own loss: loss (whole, its reconstruction), gradients, parameters after",
        "  SGD of rate .02 (moved); then label, mu, counts: nearest centres, and the centres moved by the rows.",
        "one_dkm0, one_dkm12, one_dkm_sharp: mse + .7 own loss, softmax of the first and the third alpha, and of 1000; rate .02.",
        "dcn, dkm: ten steps from k-means as in clustering.txt: DCN mse + .5, Adam Keras form lr .01; DKM mse_sum + 1.5,",
        "  five steps for each alpha, Keras SGD lr .002 momentum .9; records at the first and last step."])
    torch.manual_seed(20240913)
    group = torch.arange(17) % K
    x, par = single(2 * torch.eye(K).repeat_interleave(WIDTHS[0] // K, 1)[group] + 0.4 * torch.randn(17, WIDTHS[0])), make_parameters()
    mu, label, counts = single(torch.randn(K, WIDTHS[-1])), torch.arange(17) * 5 % 7 % K, torch.tensor([100.0, 7.0, 1.0])
    for name, value in (("x", x), ("mu", mu), ("label", label), ("counts", counts)):
        out.put(name, value)
    out.put_all(par, "start/")
    moved = learn(out, "one_dcn", par, lambda leaf: dcn_loss(leaf, x, "mse_sum", 0.3, mu, label), 0.02)
    for name, value in zip(("label", "mu", "counts"), dcn_move(moved, x, mu, counts)):
        out.put("one_dcn/" + name, value)
    alphas = dkm_alphas(3)
    for name, alpha in (("one_dkm0", alphas[0]), ("one_dkm12", alphas[2]), ("one_dkm_sharp", 1000.0)):
        out.put(name + "/alpha", alpha)
        learn(out, name, dict(par, mu=mu), lambda leaf: dkm_loss(leaf, x, "mse", 0.7, alpha), 0.02)
    centers_run(out, "dcn", x, group, par, lambda p, g, s, t: keras_adam(p, g, s, t, lr=0.01),
                lambda leaf, mu, label, t: dcn_loss(leaf, x, "mse", 0.5, mu, label), dcn_move)
    centers_run(out, "dkm", x, group, par, lambda p, g, s, t: keras_sgd(p, g, s, t, lr=0.002, momentum=0.9),
                lambda leaf, mu, label, t: dkm_loss(leaf, x, "mse_sum", 1.5, alphas[t // 5]))
    out.close()


# ---- Discriminators: DCAN, AAE --------------------------------------------------------------------------------------

STREAM_NOISE, MODEL_SEED = 7, 1  # of rng.h; of the tests' model


def noise(step, site, n, width):
    """Standard normal values of rows 0 .. n-1, as dc_noise() draws them (Box-Muller)."""
    blocks = (width + 3) // 4
    words = philox(MODEL_SEED, STREAM_NOISE, step * MAX_LAYERS + site, numpy.arange(n)[:, None] * blocks + numpy.arange(blocks))
    unit = (words.astype(numpy.float64) + 0.5) / 2 ** 32
    radius, angle = numpy.sqrt(-2 * numpy.log(unit[..., 0::2])), 2 * numpy.pi * unit[..., 1::2]
    pairs = numpy.stack([radius * numpy.cos(angle), radius * numpy.sin(angle)], axis=-1)
    return single(torch.as_tensor(pairs.reshape(n, -1)[:, :width]))


def discriminator(par, name, x, act):
    return torch.sigmoid(dense(par, name + "_1", dense(par, name + "_0", x, act), "linear"))


def tells(par, name, act, drawn, made):
    """The discriminator's loss: -ln D(drawn) - ln(1 - D(made))."""
    return -(torch.log(discriminator(par, name, drawn, act)) + torch.log(1 - discriminator(par, name, made, act))).mean()


def passes(par, name, act, made):
    return -torch.log(discriminator(par, name, made, act)).mean()


def decode(par, code):
    for i in range(3):
        code = dense(par, "decoder_%d" % i, code, "relu" if i < 2 else "linear")
    return code


def take_turns(out, prefix, par, turns, batches=3):
    """turns: (names that learn, their rate, every how manieth batch, losses(leaf, t)) one after the other; SGD."""
    for t in range(batches):
        for i, (names, rate, every, losses) in enumerate(turns):
            if (t + 1) % every:
                continue
            leaf = {k: v.clone().requires_grad_() for k, v in par.items()}
            values = losses(leaf, t)
            sum(values).backward()
            out.put("%s/loss_%d_%d" % (prefix, t, i), [v.item() for v in values])
            par.update({k: par[k] - rate * leaf[k].grad for k in par if k.startswith(names)})
    out.put_all(par, prefix + "/final/")


def write_adversarial():
    out = Writer("adversarial.txt", [
        "DCAN and AAE with the autoencoder of autoencoder.txt (ReLU), three batches of all rows, SGD.",
        "x: data; start/*: parameters, one hidden layer of 4 in each discriminator (tanh for DCAN, ReLU for AAE).",
        "dcan: 3 clusters; mu, deviation: what is drawn around; label. Rates .05 (discriminator), .02 (encoder, on each",
        "  second batch), weight .7. aae: 2 categories, 1 column of style, dropout .25, mse_sum; rates .01 (reconstruction),",
        "  .05 (discriminators), .03 (encoder); weight .7. loss_t_i: of batch t, step i; final/*: parameters at the end."])
    torch.manual_seed(20240914)
    n, K_y = 17, 2
    x, par = single(torch.randn(n, WIDTHS[0])), make_parameters()
    for name, width in (("discriminator", WIDTHS[-1]), ("category", K_y), ("style", WIDTHS[-1] - K_y)):
        for i, (a, b) in enumerate(((width, 4), (4, 1))):
            par["%s_%d/weight" % (name, i)] = single(torch.randn(a, b))
            par["%s_%d/bias" % (name, i)] = single(0.3 * torch.randn(b))
    mu, deviation, label = single(torch.randn(K, WIDTHS[-1])), single(torch.rand(K, WIDTHS[-1])), torch.arange(n) * 5 % 7 % K
    for name, value in (("x", x), ("mu", mu), ("deviation", deviation), ("label", label)):
        out.put(name, value)
    out.put_all(par, "start/")

    def draw(t):
        return mu[label] + deviation[label] * noise(t, 0, n, WIDTHS[-1])

    def of(names):
        return {k: v for k, v in par.items() if k.startswith(names)}

    take_turns(out, "dcan", of(("encoder", "decoder", "discriminator")), [
        ("discriminator", 0.05, 1, lambda p, t: [tells(p, "discriminator", "tanh", draw(t), embed(p, x).detach())]),
        ("encoder", 0.02, 2, lambda p, t: [0.7 * passes(p, "discriminator", "tanh", embed(p, x))])])

    def code(p, t):
        h = embed(p, x * dropout_mask(0.25, t, 0, numpy.arange(n), WIDTHS[0], MODEL_SEED))
        return torch.softmax(h[:, :K_y], 1), h[:, K_y:]

    def reconstruct(p, t):
        return [((decode(p, torch.cat(code(p, t), 1)) - x) ** 2).sum(1).mean()]

    def tell(p, t):
        y, z = (v.detach() for v in code(p, t))
        drawn = F.one_hot(noise(t, 0, n, K_y).argmax(1), K_y).to(torch.float64)
        return [tells(p, "category", "relu", drawn, y), tells(p, "style", "relu", noise(t, 1, n, WIDTHS[-1] - K_y), z)]

    def deceive(p, t):
        y, z = code(p, t)
        return [0.7 * passes(p, "category", "relu", y), 0.7 * passes(p, "style", "relu", z)]

    take_turns(out, "aae", of(("encoder", "decoder", "category", "style")), [
        (("encoder", "decoder"), 0.01, 1, reconstruct), (("category", "style"), 0.05, 1, tell), ("encoder", 0.03, 1, deceive)])
    out.close()


# ---- Softmax heads, batch norm: IMSAT, DEPICT -----------------------------------------------------------------------

EPSILON, KEPT = 1e-5, 0.9  # of batch norm


def normed(par, name, t, moved):
    """Batch norm of t; moved: a dictionary for the running moments, or None."""
    m, v = t.mean(0), t.var(0, unbiased=False)
    if moved is not None:
        for key, old, new in (("mean", 0.0, m), ("variance", 1.0, v * len(t) / (len(t) - 1))):
            key = "%s/%s" % (name, key)
            moved[key] = KEPT * moved.get(key, torch.full_like(m, old)) + (1 - KEPT) * new.detach()
    return par[name + "/gamma"] * (t - m) / torch.sqrt(v + EPSILON) + par[name + "/bias"]


def normed_layer(par, name, x, moved):
    t = x @ par[name + "/weight"]
    return torch.relu(normed(par, name, t, moved)) if name + "/gamma" in par else t + par[name + "/bias"]


def chain(par, part, x, moved, before=lambda i, x: x):
    """Values of the three layers."""
    acts = []
    for i in range(3):
        x = normed_layer(par, "%s_%d" % (part, i), before(i, x), moved)
        acts.append(x)
    return acts


def head(par, z):
    return torch.log_softmax(z @ par["head_0/weight"] + par["head_0/bias"], 1)


def rooted(q):
    """Dizaji et al. 2017, the target."""
    w = q / q.sum(0).sqrt()
    return w / w.sum(1, keepdim=True)


def imsat_loss(par, x, t, radius, moved, lam, mu, xi):
    log_p = head(par, chain(par, "encoder", x, moved)[-1])
    p, fixed = log_p.exp(), log_p.exp().detach()

    def smooth(by):
        return (fixed * (fixed.log() - head(par, chain(par, "encoder", x + by, None)[-1]))).sum(1)

    d = noise(t, 0, *x.shape)
    d = (d / d.norm(dim=1, keepdim=True)).requires_grad_()
    g = torch.autograd.grad(smooth(xi * d).sum(), d)[0]
    marginal = p.mean(0)
    return [smooth(radius[:, None] * g / g.norm(dim=1, keepdim=True)).mean(), -lam * (p * log_p).sum(1).mean(),
            lam * mu * (marginal * marginal.log()).sum()]


def depict_loss(par, x, t, target, moved, hidden):
    def drop(i, x):
        return x if i == 2 else x * dropout_mask(0.25, t, i, numpy.arange(len(x)), x.shape[1], MODEL_SEED)

    z = chain(par, "encoder", x, moved, drop)[-1]
    clean, back = chain(par, "encoder", x, None), chain(par, "decoder", z, moved)
    inner = hidden * sum(((a - b) ** 2).mean() for a, b in ((clean[1], back[0]), (clean[0], back[1])))
    return [-(target * head(par, z)).sum(1).mean(), ((x - back[2]) ** 2).mean(), inner]


def write_heads():
    out = Writer("heads.txt", [
        "IMSAT and DEPICT with the autoencoder of autoencoder.txt, batch norm and ReLU in all layers but embedding and output,",
        "and a linear head of 4; three batches of all rows, SGD of rate .02.",
        "x: data; start/*: parameters; imsat: lambda .3, mu 2, xi 1.5, radius;",
        "refresh/*: embedding z and head when DEPICT's target p ~ q / sqrt(f) was made, f = sums of q, loss = KL(p || q);",
        "depict: hidden .4, dropout .25. loss_t: of batch t; final/*: parameters and running moments at the end."])
    torch.manual_seed(20240915)
    n, heads = 17, 4
    x, par = single(torch.randn(n, WIDTHS[0])), make_parameters()
    par["head_0/weight"], par["head_0/bias"] = single(torch.randn(WIDTHS[-1], heads)), single(0.3 * torch.randn(heads))
    for name in ("encoder_0", "encoder_1", "decoder_0", "decoder_1"):
        par[name + "/gamma"] = single(0.5 + torch.rand(len(par[name + "/bias"])))
    radius, z = single(0.2 + torch.rand(n)), single(torch.randn(n, WIDTHS[-1]))
    before = {"head_0/weight": single(torch.randn(WIDTHS[-1], heads)), "head_0/bias": single(0.3 * torch.randn(heads))}
    q = head(before, z).exp()
    target = rooted(q)
    out.put("x", x)
    out.put("radius", radius)
    out.put_all(dict(before, z=z, f=q.sum(0), loss=mean_kl(target, q)), "refresh/")
    out.put_all(par, "start/")
    for prefix, losses in (("imsat", lambda p, t, moved: imsat_loss(p, x, t, radius, moved, 0.3, 2, 1.5)),
                           ("depict", lambda p, t, moved: depict_loss(p, x, t, target, moved, 0.4))):
        now, moved = {k: v for k, v in par.items() if prefix == "depict" or not k.startswith("decoder")}, {}
        for t in range(3):
            leaf = {k: v.clone().requires_grad_() for k, v in now.items()}
            values = losses(leaf, t, moved)
            sum(values).backward()
            out.put("%s/loss_%d" % (prefix, t), [v.item() for v in values])
            now = {k: v - 0.02 * leaf[k].grad for k, v in now.items()}
        out.put_all(dict(now, **moved), prefix + "/final/")
    out.close()


# ---- variational autoencoders --------------------------------------------------------------------------------------

def variational(leaf, x, eps, loss):
    """Mean and log variance of each row's Gaussian, a value drawn from it, and the row's mean reconstruction loss."""
    hidden = x
    for name in layer_names()[:len(WIDTHS) - 2]:
        hidden = dense(leaf, name, hidden, "relu")
    mean, log_var = (dense(leaf, name, hidden, "linear") for name in ("encoder_2", "log_variance_0"))
    z = mean + torch.exp(0.5 * log_var) * eps
    return mean, log_var, z, LOSS[loss](decode(leaf, z), x, len(x)) * x.shape[1]


def vae_loss(leaf, x, eps, loss, beta):
    """Kingma and Welling 2014, minus equation 10, with beta before the divergence."""
    mean, log_var, _, recon = variational(leaf, x, eps, loss)
    prior = -0.5 * (1 + log_var - mean ** 2 - torch.exp(log_var)).sum(1).mean()
    return recon + beta * prior, recon


def vade_loss(leaf, x, eps, loss, weight):
    """Jiang et al. 2017, minus equation 12, with one sample per row and log pi added once."""
    mean, log_var, z, recon = variational(leaf, x, eps, loss)
    log_pi, m, lv = torch.log_softmax(leaf["log_weights"][0], 0), leaf["mu"], leaf["log_variances"]
    density = -0.5 * (torch.log(torch.tensor(2 * numpy.pi)) + lv + (z[:, None] - m) ** 2 / torch.exp(lv)).sum(2)
    g = torch.softmax(log_pi + density, 1)
    apart = (lv + torch.exp(log_var[:, None] - lv) + (mean[:, None] - m) ** 2 / torch.exp(lv)).sum(2)
    bound = -0.5 * (g * apart).sum(1) + (g * (log_pi - torch.log(g))).sum(1) + 0.5 * (1 + log_var).sum(1)
    return weight * recon - bound.mean(), weight * recon


def write_variational():
    out = Writer("variational.txt", [
        "VAE and VaDE with the autoencoder of autoencoder.txt (ReLU), 3 clusters: one step of SGD of rate .02, all rows.",
        "x: data; start/*: parameters, log_variance_0 the head of log variances; mu, log_variances, log_weights: the mixture.",
        "noise: of seed 1, step 0, site 0. one_vae: mse, beta .3; one_vae_bce; one_vade: mse, weight 2; one_vade_bce:",
        "  loss (whole, its reconstruction), gradients, parameters after."])
    torch.manual_seed(20251127)
    x, par = single(torch.rand(17, WIDTHS[0])), make_parameters()
    par["log_variance_0/weight"] = single((torch.rand(WIDTHS[-2], WIDTHS[-1]) * 2 - 1) * 0.5)
    par["log_variance_0/bias"] = single(torch.rand(WIDTHS[-1]) - 1)
    mixture = {"mu": single(torch.randn(K, WIDTHS[-1])), "log_variances": single(torch.randn(K, WIDTHS[-1]) * 0.5),
               "log_weights": single(torch.log(torch.tensor([[0.2, 0.3, 0.5]])))}
    drawn = noise(0, 0, 17, WIDTHS[-1])
    out.put("x", x)
    out.put("noise", drawn)
    out.put_all(par, "start/")
    out.put_all(mixture)
    for name, loss in (("one_vae", "mse"), ("one_vae_bce", "bce")):
        learn(out, name, par, lambda leaf: vae_loss(leaf, x, drawn, loss, 0.3), 0.02)
    for name, loss in (("one_vade", "mse"), ("one_vade_bce", "bce")):
        learn(out, name, dict(par, **mixture), lambda leaf: vade_loss(leaf, x, drawn, loss, 2.0), 0.02)
    out.close()


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    write_dec()
    write_autoencoder()
    write_layerwise()
    write_clustering()
    write_centers()
    write_adversarial()
    write_heads()
    write_variational()
    sys.exit(0)
