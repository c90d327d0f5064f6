"""The look of every figure: colours with one meaning each, and three sizes.

Notebooks call `plt.style.use("vae_helpers.view.vae")` once; the sheet holds fonts, lines and layout.
"""

# Okabe–Ito colours, readable with colour-blind eyes; never the only sign: markers, line styles or labels go with them.
COLORS = {"data": "#000000", "recon": "#0072B2", "kl": "#D55E00", "prior": "#009E73", "total": "#777777"}
SIZES = {"small": (5.2, 3.4), "wide": (9.0, 3.6), "tall": (9.0, 8.6)}  # inches
