// One latent plane: its codes, its decoder, the two pictures beside it and the lines of text beneath.

const EDGE = 0.025; // the cursor keeps to the middle 95 % of each axis
const NEAR = 10; // how close, in CSS pixels, the pointer must come to a code

class Plane {
  constructor(panel, path) {
    this.panel = panel;
    this.decode = decoder(panel.sizes, halves(panel.weights));
    this.codes = Float64Array.from(shorts(panel.codes), (q) => q * panel.unit);
    this.labels = bytes(panel.labels);
    this.chosen = new Map(); this.pointed = null;
    const low = EDGE, high = 1 - EDGE, corners = [[low, low], [high, low], [high, high], [low, high]];
    this.region = corners.map((u) => this.at(u)); this.prior = corners.map((u) => u.map(probit));
    this.path = finely(path).map((u) => this.at(u));
    this.build();
  }

  build() {
    const picture = (name, label) =>
      make("canvas", { class: name, width: 28, height: 28, role: "img", "aria-label": label });
    const { title, note } = this.panel;
    this.map = make("canvas", { class: "map", tabindex: 0, role: "application",
      "aria-label": `Latent plane ${title}: drag, or press arrow keys, to move the cursor; Home for the middle` });
    const still = (...all) => this.drawStill(...all), moving = (...all) => this.drawMoving(...all);
    this.chart = new LatentMap(this.map, still, moving);
    this.image = picture("image", `Decoded image, ${title}`);
    this.code = picture("code", `Decoded code under the pointer, ${title}`);
    this.place = make("div", {}); this.nearest = make("div", {}); this.told = make("div", { class: "told" });
    this.root = make("div", { class: "cell" }, make("div", { class: "plane", role: "group", "aria-label": title },
      make("div", { class: "title" }, title), this.map, this.image,
      make("div", { class: "readout" }, this.place, this.nearest),
      make("div", { class: "preview" }, this.code, this.told), make("div", { class: "note" }, note)));
    this.tell();
  }

  at(u) { // from quantiles to a latent point
    const [e, f] = u.map(probit), [[a, b], [c, d]] = this.panel.scale, [x, y] = this.panel.mean;
    return [x + a * e + b * f, y + c * e + d * f];
  }

  quantiles(place) { // from a place on the screen back to u, kept inside the cursor's range
    const [[a, b], [c, d]] = this.panel.scale, z = this.chart.frame.latent(place), det = a * d - b * c;
    const x = z[0] - this.panel.mean[0], y = z[1] - this.panel.mean[1], reach = probit(1 - EDGE);
    return [(d * x - b * y) / det, (a * y - c * x) / det].map((e) => share(clamp(e, -reach, reach)));
  }

  choose(chosen) { // classes, as the legend names them
    this.chosen = chosen;
    this.chart.redraw();
  }

  drawStill(g, frame, colors) { // everything that stays while the cursor moves
    const { panel } = this, line = (z) => z.map(frame.screen);
    clipped(g, frame, () => {
      drawCodes(g, frame, this, colors);
      drawLine(g, line(this.path), colors.ink, { dash: [0.1, 5], width: 2.6, closed: false });
    });
    drawLine(g, line(this.region), colors.prior);
    drawLine(g, line(this.prior), colors.prior, { dash: [5, 4] });
    const [low, high] = panel.view[0]; // a plane too small for its digits has none
    if ((high - low) * frame.zoom > 90) drawLabels(g, frame, panel.medians, this.chosen, colors);
  }

  drawMoving(g, frame, colors) {
    const { codes, pointed: i } = this;
    if (!this.z) return; // not moved yet
    drawRing(g, frame.screen(this.z), 9, true, colors);
    if (i !== null) drawRing(g, frame.screen([codes[2 * i], codes[2 * i + 1]]), 5, false, colors);
  }

  move(u) { // returns what a screen reader says
    const z = this.z = this.at(u), { title, medians } = this.panel;
    paint(this.image, this.decode(z)); this.chart.draw();
    const away = medians.map(([digit, x, y]) => [Math.hypot(x - z[0], y - z[1]), digit]);
    const [far, digit] = away.sort((p, q) => p[0] - q[0])[0] || [];
    this.place.textContent = `z = (${decimal(z[0], 2)}, ${decimal(z[1], 2)})`;
    this.nearest.textContent = away.length ? `nearest class median: ${digit}, ${decimal(far, 1)} away` : "";
    return `${title}: ${this.place.textContent}${away.length ? ", " : ""}${this.nearest.textContent}.`;
  }

  nearestCode([x, y]) { // number of the code under the pointer, null where none is; classes that are off do not count
    const { screen } = this.chart.frame;
    let best = null, least = NEAR;
    for (let i = 0; i < this.codes.length / 2; i++) {
      if (this.chosen.size && !this.chosen.has(this.labels[i])) continue;
      const [a, b] = screen([this.codes[2 * i], this.codes[2 * i + 1]]), far = Math.hypot(a - x, b - y);
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  point(place) { // at a place on the screen, or at none
    const i = place && this.nearestCode(place);
    if (i === this.pointed) return;
    this.pointed = i; this.tell(); this.chart.draw();
  }

  tell() { // the picture of the code under the pointer, with its class
    const i = this.pointed, digit = this.labels[i];
    this.code.classList.toggle("empty", i === null);
    this.code.width = 28; // clears it
    if (i === null) this.told.textContent = "Point at a dot to see its code decoded.";
    else {
      paint(this.code, this.decode([this.codes[2 * i], this.codes[2 * i + 1]]));
      this.told.textContent = digit === undefined ? "a code, decoded" : `code of a ${digit}, decoded`;
    }
  }
}
