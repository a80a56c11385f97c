#!/usr/bin/python3
"""Writes tests/golden/*.txt: reference numbers from PyTorch autograd in double precision.

Needs Debian's python3-torch; the tests themselves only read the text files. Inputs are rounded to float32 first, so a
single-precision program can start from exactly the same values.

Format: '#' starts a comment line; an array is a line "name rows cols" followed by `rows` lines of `cols` numbers.
"""
import os
import sys

import torch
import torch.nn.functional as F

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden")
torch.manual_seed(20240611)
torch.set_default_dtype(torch.float64)


class Writer:
    def __init__(self, name, about):
        self.file = open(os.path.join(OUT, name), "w")
        for line in ["Made by tools/golden.py (PyTorch, double); read by tests/golden/golden.h."] + about:
            self.file.write("# " + line + "\n")

    def put(self, name, value):
        v = torch.as_tensor(value).detach().to(torch.float64)
        v = v.reshape(1, -1) if v.dim() < 2 else v
        self.file.write("%s %d %d\n" % (name, v.shape[0], v.shape[1]))
        for row in v.tolist():
            self.file.write(" ".join("%.12g" % x for x in row) + "\n")

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
       "tanh": torch.tanh, "sigmoid": torch.sigmoid}
LOSS = {"mse": lambda e, B, D: (e ** 2).sum() / (B * D), "mse_sum": lambda e, B, D: (e ** 2).sum() / B,
        "mse_half_sum": lambda e, B, D: (e ** 2).sum() / (2 * B)}


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
    value = LOSS[loss](acts[-1] - x, B, x.shape[1])
    value.backward()
    return acts, value, {k: v.grad for k, v in leaf.items()}


def keras_sgd(par, grad, state, t, lr=0.3, momentum=0.9):
    for k in par:
        state[k] = momentum * state.get(k, 0) - lr * grad[k]
        par[k] = par[k] + state[k]


def keras_adam(par, grad, state, t, lr=0.01, b1=0.9, b2=0.999, eps=1e-7):
    """Keras form: the bias correction is in the learning rate, eps is added to the uncorrected root."""
    lr_t = lr * (1 - b2 ** (t + 1)) ** 0.5 / (1 - b1 ** (t + 1))
    for k in par:
        m, v = state.get(k, (0, 0))
        m, v = b1 * m + (1 - b1) * grad[k], b2 * v + (1 - b2) * grad[k] ** 2
        state[k] = (m, v)
        par[k] = par[k] - lr_t * m / (v.sqrt() + eps)


def ten_steps(par, x, update):
    par, state = dict(par), {}
    for t in range(10):
        update(par, gradients(par, x, "relu", "mse", x.shape[0])[2], state, t)
    return par


def ten_steps_torch_sgd(par, x, lr=0.3, momentum=0.9):
    leaf = {k: v.clone().requires_grad_() for k, v in par.items()}
    opt = torch.optim.SGD(list(leaf.values()), lr=lr, momentum=momentum)
    for t in range(10):
        for group in opt.param_groups:
            group["lr"] = lr * (0.5 if t >= 5 else 1.0)  # a drop of the rate tells the two conventions apart
        opt.zero_grad()
        LOSS["mse"](forward(leaf, x, "relu")[-1] - x, x.shape[0], x.shape[1]).backward()
        opt.step()
    return leaf


def write_autoencoder():
    out = Writer("autoencoder.txt", [
        "Autoencoder 12-7-5-3-5-7-12, embedding and output linear; weights are [in x out].",
        "x: batch; start/*: parameters; act_<i>: outputs of the layers for ReLU hidden layers;",
        "<activation>/<loss>/...: loss for a global batch of 11 rows and its gradients; dx through the network only;",
        "sgd/*, sgd_torch/*, adam/*: parameters after ten full-batch steps on the mse loss (global batch = rows of x):",
        "  Keras SGD lr 0.3 momentum 0.9, halved from step 5 on; PyTorch SGD the same;",
        "  Adam Keras form lr 0.01 betas .9 .999 eps 1e-7."])
    x, par, B = single(torch.rand(8, WIDTHS[0])), make_parameters(), 11
    out.put("x", x)
    out.put("B", B)
    for k, v in par.items():
        out.put("start/" + k, v)
    for i, a in enumerate(forward(par, x, "relu")):
        out.put("act_%d" % i, a)
    for hidden, loss in [("relu", "mse"), ("relu", "mse_sum"), ("relu", "mse_half_sum"), ("leaky_relu", "mse"),
                         ("tanh", "mse"), ("sigmoid", "mse"), ("linear", "mse")]:
        prefix = hidden + "/" + loss + "/"
        acts, value, grad = gradients(par, x, hidden, loss, B)
        xv = x.clone().requires_grad_()
        LOSS[loss](forward(par, xv, hidden)[-1] - x, B, x.shape[1]).backward()
        out.put(prefix + "loss", value)
        out.put(prefix + "xhat", acts[-1])
        out.put(prefix + "dx", xv.grad)
        for k, v in grad.items():
            out.put(prefix + k, v)
    halved = lambda p, g, s, t: keras_sgd(p, g, s, t, lr=0.3 * (0.5 if t >= 5 else 1.0))
    for name, final in (("sgd", ten_steps(par, x, halved)), ("sgd_torch", ten_steps_torch_sgd(par, x)),
                        ("adam", ten_steps(par, x, keras_adam))):
        for k, v in final.items():
            out.put(name + "/" + k, v)
    out.close()


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    write_dec()
    write_autoencoder()
    sys.exit(0)
