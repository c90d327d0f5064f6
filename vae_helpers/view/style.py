"""The look of every figure: colours with one meaning each, and two sizes.

Notebooks call `plt.style.use("vae_helpers.view.vae")` once; the sheet holds fonts, lines and layout.
"""

# Okabe–Ito colours, readable with colour-blind eyes; never the only sign: markers, line styles or labels go with them.
COLORS = {"data": "#000000", "recon": "#0072B2", "kl": "#D55E00", "prior": "#009E73", "total": "#777777"}
# one for each digit; codes are drawn as the digits themselves, so that none of it rests on colour
DIGIT_COLORS = ["#000000", "#E69F00", "#56B4E9", "#009E73", "#B8A800"]
DIGIT_COLORS += ["#0072B2", "#D55E00", "#CC79A7", "#777777", "#7F3C8D"]
SIZES = {"small": (5.2, 3.4), "wide": (7.8, 3.3)}  # inches, as wide as a page beside a file browser
