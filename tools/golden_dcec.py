#!/usr/bin/env python3
"""Writes tests/golden/dcec.txt: a step of DCEC, that is IDEC's loss on a convolutional autoencoder, by PyTorch's autograd.

Needs PyTorch, and is not run by the tests. Rows are images of 4x3 pixels; the network is
  conv 3x2x4 /2 relu, conv 2x2x5 valid relu, dense 3  |  dense 1x1x5 relu, deconv 2x2x4 valid relu, deconv 3x2x1 /2
Weights are [height x width x channels of the images, channels at the places], as in run.h5. The padding is Keras's:
of a convolution with stride s, kernel k and n pixels, max((ceil(n/s) - 1) s + k - n, 0) pixels, the smaller half first.
"""
import torch
import torch.nn.functional as F

import golden

K, N, H, W = 3, 17, 4, 3
# kernel, stride, padding of an image (left, right, top, bottom), size of the image, its channels, those at the places
CONV = [((3, 2), 2, (0, 1, 0, 1), (4, 3), 1, 4), ((2, 2), 1, (0, 0, 0, 0), (2, 2), 4, 5)]
SHAPE = {"encoder_0": CONV[0], "encoder_1": CONV[1], "decoder_1": CONV[1], "decoder_2": CONV[0]}


def weight_of(par, name):
    """[kh kw c, m] as PyTorch has it for both kinds: [m, c, kh, kw]."""
    (kh, kw), _, _, _, c, m = SHAPE[name]
    return par[name + "/weight"].reshape(kh, kw, c, m).permute(3, 2, 0, 1)


def conv(par, name, x):
    _, stride, pad, _, _, _ = SHAPE[name]
    return F.conv2d(F.pad(x, pad), weight_of(par, name), par[name + "/bias"].reshape(-1), stride)


def deconv(par, name, x):
    _, stride, (left, _, top, _), (h, w), c, _ = SHAPE[name]
    y = F.conv_transpose2d(x, weight_of(par, name), None, stride)[:, :, top:, left:]
    y = F.pad(y, (0, max(w - y.shape[3], 0), 0, max(h - y.shape[2], 0)))[:, :, :h, :w]
    return y + par[name + "/bias"].reshape(1, c, 1, 1)


def images(rows, h, w, c):
    return rows.reshape(-1, h, w, c).permute(0, 3, 1, 2)


def rows(x):
    return x.permute(0, 2, 3, 1).reshape(len(x), -1)


def forward(par, x):
    y = F.relu(conv(par, "encoder_0", images(x, H, W, 1)))
    y = F.relu(conv(par, "encoder_1", y))
    z = rows(y) @ par["encoder_2/weight"] + par["encoder_2/bias"]
    y = F.relu(z @ par["decoder_0/weight"] + par["decoder_0/bias"])
    y = F.relu(deconv(par, "decoder_1", images(y, 1, 1, 5)))
    return z, rows(deconv(par, "decoder_2", y))


def main():
    out = golden.Writer("dcec.txt", [
        "start/...: weights; x [N x 12], mu [K x 3]; see the script for the network. refresh/: embedding z [N x 3] and centres",
        "mu at the refresh, sums f of their q, loss = KL(p || q), p the target of q.",
        "one/loss = mse + .1 KL(p || q) and mse; gradients, and weights after a step of SGD of rate .02."],
        "tools/golden_dcec.py (PyTorch, double)")
    par = {}
    for name in ("encoder_0", "encoder_1", "encoder_2", "decoder_0", "decoder_1", "decoder_2"):
        if name in SHAPE:
            (kh, kw), _, _, _, c, m = SHAPE[name]
            shape, bias = (kh * kw * c, m), m if name.startswith("encoder") else c
        else:
            shape, bias = ((5, 3), 3) if name == "encoder_2" else ((3, 5), 5)
        par[name + "/weight"] = golden.single(0.4 * torch.randn(*shape))
        par[name + "/bias"] = golden.single(0.1 + 0.3 * torch.randn(1, bias))
    out.put_all(par, "start/")
    par["mu"] = golden.single(torch.randn(K, 3))
    x = golden.single(torch.rand(N, H * W))
    out.put("x", x)
    out.put("mu", par["mu"])
    before = {"z": golden.single(torch.randn(N, 3)), "mu": golden.single(par["mu"] + 0.5 * torch.randn(K, 3))}
    q = golden.soft_assign(before["z"], before["mu"], 1.0)
    p = golden.target(q)
    out.put_all(dict(before, f=q.sum(0), loss=golden.mean_kl(p, q)), "refresh/")
    for value in par.values():
        value.requires_grad_()
    z, y = forward(par, x)
    q, mse = golden.soft_assign(z, par["mu"], 1.0), ((y - x) ** 2).mean()
    total = mse + 0.1 * golden.mean_kl(p, q)
    total.backward()
    out.put("one/loss", [total.item(), mse.item()])
    for name, value in par.items():
        out.put("one/grad/" + name, value.grad)
        out.put("one/moved/" + name, value.detach() - 0.02 * value.grad)
    out.close()


if __name__ == "__main__":
    main()
