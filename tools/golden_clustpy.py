#!/usr/bin/env python3
"""Writes tests/golden/clustpy.txt: single steps by ClustPy's own modules, from the weights of centers.txt, variational.txt.

Needs PyTorch and clustpy 0.0.3 or later, and is not run by the tests. golden.py implements the papers' formulas; this script
uses another program instead. dcmpi must agree with both.
"""
import numpy
import torch
from clustpy.deep import dcn, dkm, vade
from clustpy.deep.neural_networks import FeedforwardAutoencoder

import golden


def read(name):
    """Arrays of a golden file, by name."""
    arrays, lines = {}, [line for line in open(golden.os.path.join(golden.OUT, name)) if not line.startswith("#")]
    while lines:
        array, rows, _ = lines[0].split()
        arrays[array] = torch.tensor([[float(v) for v in line.split()] for line in lines[1:1 + int(rows)]])
        lines = lines[1 + int(rows):]
    return arrays


def autoencoder(par):
    """Their network with our weights, and its parameters under our names."""
    net, named = FeedforwardAutoencoder(golden.WIDTHS, activation_fn=torch.nn.ReLU).to(torch.float64), {}
    for part, block in (("encoder", net.encoder), ("decoder", net.decoder)):
        linear = [layer for layer in block.modules() if isinstance(layer, torch.nn.Linear)]
        for i, layer in enumerate(linear):
            name = "%s_%d" % (part, i)
            layer.weight.data = par["start/%s/weight" % name].T.clone()
            layer.bias.data = par["start/%s/bias" % name].reshape(-1).clone()
            named[name + "/weight"], named[name + "/bias"] = layer.weight, layer.bias
    return net, named


def step(out, prefix, named, total, recon, lr=0.02):
    """Loss, gradients, and the parameters after a step of SGD."""
    total.backward()
    out.put(prefix + "/loss", [total.item(), recon.item()])
    for name, p in named.items():
        shown = (lambda v, name=name: v.T if name.endswith("/weight") else v)
        out.put("%s/grad/%s" % (prefix, name), shown(p.grad))
        p.data -= lr * p.grad
        out.put("%s/moved/%s" % (prefix, name), shown(p.data))


def vade_loss(leaf, x, noise):
    """Their loss, as it is. Responsibilities and weights are ours: theirs count each log variance twice, and take the
    softmax of weights where log weights belong."""
    mean, log_var, z, _ = golden.variational(leaf, x, noise, "mse")
    pi, deviation = torch.softmax(leaf["log_weights"][0], 0), torch.exp(0.5 * leaf["log_variances"])
    density = torch.distributions.Normal(leaf["mu"], deviation).log_prob(z[:, None]).sum(2)
    y = golden.decode(leaf, z)
    squares = lambda a, b: ((a - b) ** 2).sum() / len(a)
    total = vade._compute_vade_loss(pi, leaf["mu"], leaf["log_variances"], mean, log_var, x,
                                    torch.softmax(torch.log(pi) + density, 1), y, squares, 1.0, 1.0)
    constant = 0.5 * numpy.log(2 * numpy.pi) * (1 - 1 / len(x))  # of normal densities, which they count now and then
    return total - constant, squares(y, x)


def write_vade(out):
    start = read("variational.txt")
    par = {k[len("start/"):]: v for k, v in start.items() if k.startswith("start/")}
    par = {k: v.reshape(-1) if k.endswith("bias") else v for k, v in par.items()}
    par.update({k: start[k] for k in ("mu", "log_variances", "log_weights")})
    golden.learn(out, "one_clustpy_vade", par, lambda leaf: vade_loss(leaf, start["x"], start["noise"]), 0.02)


def main():
    start, out = read("centers.txt"), golden.Writer("clustpy.txt", [
        "Single steps by the modules of ClustPy from the weights, centres, labels and counts of centers.txt, SGD of rate .02.",
        "one_clustpy_dcn: weight .8 of the clustering loss, of which ClustPy takes half; then labels, centres, counts.",
        "one_clustpy_dkm: weight .7, alpha 3.",
        "one_clustpy_vade: VaDE's loss with squared errors, of variational.txt; without constants: (whole, reconstruction)."], "tools/golden_clustpy.py (ClustPy, double)")
    x, mu = start["x"], start["mu"]
    label, counts = start["label"].reshape(-1).long(), start["counts"].reshape(-1)
    mean_square = torch.nn.MSELoss()
    batch, cpu = [torch.arange(len(x)), x], torch.device("cpu")

    net, named = autoencoder(start)
    module = dcn._DCN_Module(label.numpy().copy(), mu.numpy().copy())
    module.counts = counts.to(torch.int32)
    total = module._loss(batch, net, mean_square, 1.0, 0.8, cpu)
    step(out, "one_clustpy_dcn", named, total, mean_square(net(x), x))
    with torch.no_grad():
        embedded = net.encode(x)
        label = module.predict_hard(embedded)
        moved, counted = module.update_centroids(embedded, label)
    for name, value in (("label", label), ("mu", moved), ("counts", counted)):
        out.put("one_clustpy_dcn/" + name, value)

    net, named = autoencoder(start)
    module = dkm._DKM_Module(mu.numpy().copy(), (3.0,))
    total = module._loss(batch, 3.0, net, 0.7, 1.0, mean_square, cpu)
    out.put("one_clustpy_dkm/alpha", 3.0)
    step(out, "one_clustpy_dkm", dict(named, mu=module.centers), total, mean_square(net(x), x))
    write_vade(out)
    out.close()


if __name__ == "__main__":
    main()
