"""Sheets of image data: each cluster's typical and doubtful members, and what the network makes of them."""
import numpy as np

import report_charts as charts
import report_html as page
from report_data import dataset
from report_html import number
from report_math import Network, majority

BUDGET_BYTES = 3 << 20  # of all sheets, so that the page stays below its 5 MB
OUTLIERS_MAX, CARDS_MAX = 30, 200


def pixel_range(run, shown):
    """The values shown as black and white: 0 and 255 for bytes that use that range, else the range of what is shown."""
    pixels = [np.asarray(rows) for rows in shown if rows is not None and rows.size]
    if not pixels:
        return 0.0, 1.0
    low, high = min(p.min() for p in pixels), max(p.max() for p in pixels)
    return (0.0, 255.0) if pixels[0].dtype == np.uint8 and high > 127 else (float(low), float(high))


class Sheets:
    """What all cards share: pictures of rows, their range, and the bytes that are left."""

    def __init__(self, run, shape, network, rows):
        self.run, self.shape, self.network = run, shape, network
        self.low, self.high = pixel_range(run, rows)
        self.left = BUDGET_BYTES

    def strip(self, rows, show, alt):
        """One line of images, or "" if the rows are no images of this shape."""
        images = charts.as_images(rows, self.shape)
        if images is None:
            return ""
        uri = charts.strip(images, self.low, self.high, show)
        self.left -= len(uri)
        h, w = images.shape[1:3]
        return page.image(uri, alt, len(images) * (w + charts.GAP) - charts.GAP, h)

    def pair(self, rows, numbers, what, cluster):
        """A line of images with their reconstructions below."""
        show = numbers >= 0
        if not show.any():
            return ""
        listed = ", ".join(self.run.ids(numbers[show]) or [str(n) for n in numbers[show]])
        out = page.Html('<p class="label">%s</p>\n' % page.esc(what)) + self.strip(
            rows, show, "%s of cluster %d: rows %s" % (what, cluster, listed))
        if self.network.can_decode() and self.network.encoder:
            out += self.strip(self.network.reconstruct(rows.astype(np.float64)), show,
                              "Reconstructions of rows %s by the autoencoder" % listed)
        return out

    def centre(self, k):
        """The cluster's centre as an image: decoded, or itself if it lives in the space of the data."""
        centre = self.run.h5["cluster_centers"][k:k + 1]
        if self.network.can_decode() and centre.shape[1] == len(self.network.decoder[0][0]):
            rows = self.network.decode(centre)
        elif centre.shape[1] == self.run.input_width() and self.run.can_unscale():
            rows = self.run.unscaled(centre)
        else:
            return ""
        return self.strip(rows, [True], "Centre of cluster %d as an image" % k)


    def drawn(self, latent, alt):
        """A line of rows that the network makes of drawn latent values, or ""."""
        if not self.network.can_decode() or latent.shape[1] != len(self.network.decoder[0][0]):
            return ""
        picture = self.strip(self.network.decode(latent), np.ones(len(latent), bool), alt)
        return page.Html('<p class="label">Drawn</p>\n') + picture if picture else ""


def samples(run, ndim):
    """Latent values that a generative method drew: [count, L] from its prior, or [K, count, L] from its clusters."""
    found = dataset(run.h5, "%s/samples" % run.method(), ndim)
    return None if found is None or (ndim == 3 and len(found) != run.K) else found[:]


def describe(run, k, classes):
    """Size and largest class of a cluster. classes: the result of majority(), or None."""
    text = number(run.size[k]) + (" row" if run.size[k] == 1 else " rows")
    if classes is not None and run.size[k]:
        best, purity = classes
        text += ", %.0f %% \u201c%s\u201d" % (100 * purity[k], run.class_names()[best[k]][:30])
    return text


def card(run, sheets, k, classes, nearest, border, drawn):
    """One cluster."""
    head = '<header>%s<div><h3>Cluster %d</h3><p class="note">%s</p></div></header>\n' % (
        sheets.centre(k), k, page.esc(describe(run, k, classes)))
    body = "".join(sheets.pair(rows[k], numbers[k], what, k) for (numbers, rows), what in
                   ((nearest, "Nearest"), (border, "Least certain")) if rows is not None)
    if drawn is not None:
        body += sheets.drawn(drawn[k], "Rows drawn from the Gaussian of cluster %d" % k)
    return page.Html('<div class="card">%s%s</div>\n' % (head, body))


def cards(run, sheets, nearest, border):
    """Cards of the clusters, as many as fit."""
    out, drawn = [], samples(run, 3)
    classes = None if run.confusion is None else majority(run.confusion)
    for k in range(min(run.K, CARDS_MAX)):
        if sheets.left <= 0:
            break
        out.append(card(run, sheets, k, classes, nearest, border, drawn))
    text = page.Html('<div class="cards">\n%s</div>\n' % "".join(out))
    if len(out) < run.K:
        text += page.paragraph("The first %d of %d clusters are shown, so that this page stays small." %
                               (len(out), run.K), "note")
    return text


def outlier_sheet(run, sheets):
    """The first rows that carry the outlier flag."""
    if run.outlier is None or run.data is None:
        return ""
    rows = np.flatnonzero(run.outlier[:])[:OUTLIERS_MAX]
    if not len(rows):
        return ""
    picture = sheets.strip(np.stack([run.data.X[r] for r in rows]), np.ones(len(rows), bool),
                           "Outliers: rows " + ", ".join(str(r) for r in rows))
    return page.Html('<div class="card"><h3>Outliers</h3><p class="note">The first %d rows with the flag.</p>%s</div>\n'
                     % (len(rows), picture))


def prior_sheet(run, sheets):
    """What the network makes of values drawn from its prior."""
    drawn = samples(run, 2)
    picture = "" if drawn is None else sheets.drawn(drawn, "Rows drawn from the prior")
    return page.Html('<div class="card"><h3>Prior</h3>%s</div>\n' % picture) if picture else ""


def images(run):
    """The section; "" if the data are no images."""
    shape = run.image_shape()
    if shape is None:
        return ""
    nearest, border = run.examples("nearest", CARDS_MAX), run.examples("border", CARDS_MAX)
    network = Network(run)
    sheets = Sheets(run, shape, network, (nearest[1], border[1]))
    missing = nearest[1] is None and nearest[0] is not None
    decoded = network.can_decode() and nearest[1] is not None
    if missing and not network.can_decode():
        return page.section("images", "Images", page.paragraph("No images can be shown: " + run.data_note))
    text = "" if network.other else \
        "Beside each name: the cluster's centre%s." % (", decoded by the network" if network.can_decode() else "")
    if nearest[1] is not None:
        text += " Nearest: the members with the highest confidence. Least certain: those with the lowest."
    if samples(run, 2) is not None or samples(run, 3) is not None:
        text += " Drawn: what the network makes of values drawn from its prior."
    if network.other:
        text += " What the autoencoder makes of images is not computed here: its layers have %s." % ", ".join(network.other)
    if decoded:
        text += " Below each line of images: what the autoencoder makes of them."
    if missing:
        text += " Members are not shown. " + run.data_note
    return page.section("images", "Images", page.paragraph(text), cards(run, sheets, nearest, border),
                        prior_sheet(run, sheets), outlier_sheet(run, sheets))
