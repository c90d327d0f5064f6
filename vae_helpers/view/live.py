"""What only a reader in front of a running kernel sees: the loss while it falls. Nothing of it is stored or printed."""

import os
import sys
import time
from base64 import b64encode

import torch
from IPython.display import display

from vae_helpers.view.picture import COLORS, picture
from vae_helpers.view.plots import draw_grey, image_grid

SHARE = 0.015  # of the time since the start may go into drawing, before the last picture


def is_live():
    """Does a reader watch? False outside a notebook's kernel, and where TQDM_DISABLE asks for quiet."""
    return "ipykernel" in sys.modules and not os.environ.get("TQDM_DISABLE")


class watch:
    """For fit(…, watch=watch(x)): the loss per epoch as it falls, and a strip of reconstructions of the images x.

    Draws when it has the time (under 3 % of half a minute), into one place; the last picture stays. The loss on test
    images is drawn where the history has it. x: (n, 784) pixels in [0, 1], or None for the curve alone.
    """

    def __init__(self, x=None):
        self.x, self.start, self.spent, self.handle = x, time.monotonic(), 0.0, None

    def __call__(self, model, history, done):
        """One look; `done` is the share of the training that lies behind, 1 at the end."""
        begin = time.monotonic()
        if not is_live() or (done < 1 and self.spent > SHARE * (begin - self.start)):
            return
        fig = self.draw(model, history, done)
        bundle = {"image/png": b64encode(fig.png()).decode(), "text/plain": fig.alt}
        if self.handle is None:
            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)
        self.spent += time.monotonic() - begin

    def draw(self, model, history, done):
        """The picture: loss against epoch, one line on training and one on test images, and the strip beneath."""
        said = f"Loss {history['loss'][-1]:.4g} after epoch {len(history['loss'])}, {done:.0%} of the training."
        rows = 1 if self.x is None else 2
        fig, axes = picture("wide", rows, 1, alt=said, squeeze=False, height_ratios=[3, 1][:rows])
        ax = axes[0, 0]
        for name, style, role in (("loss", "-", "total"), ("test loss", "--", "recon")):
            if name in history:
                later = len(history[name]) // 10  # the first epochs would squeeze all that follows
                epochs = range(later + 1, len(history[name]) + 1)
                ax.plot(epochs, history[name][later:], style, color=COLORS[role], label=name)
        ax.set(xlim=(1, max(2, len(history["loss"]) / done)), xlabel="epoch", ylabel="loss", title=said)
        ax.legend()
        if self.x is not None:
            draw_grey(axes[1, 0], image_grid(torch.cat([self.x, model(self.x)]), len(self.x)))
        return fig
