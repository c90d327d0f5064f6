// What one model answers to an image: its posterior in the plane, draws from it, the reconstruction, two terms in nats.

const DRAWS = 5, DROPPED = 12;

class Answer {
  constructor(panel) {
    this.panel = panel;
    this.encode = encoder(panel.encoder.sizes, halves(panel.encoder.weights));
    this.decode = decoder(panel.sizes, halves(panel.weights));
    this.codes = Float64Array.from(shorts(panel.codes), (q) => q * panel.unit);
    this.labels = bytes(panel.labels);
    this.draws = []; this.dropped = []; this.from = null; this.at = null;
    this.build();
  }

  build() {
    const { title } = this.panel, picture = (name) => make("canvas",
      { width: 28, height: 28, class: "image", role: "img", "aria-label": `${name}, ${title}` });
    const row = (name, pictures, more = "") => make("div", { class: `pictures ${more}` },
      make("div", { class: "told" }, name), ...pictures);
    this.map = make("canvas", { class: "map", role: "img", "aria-label": `Latent plane ${title}` });
    const still = (...all) => this.drawStill(...all), moving = (...all) => this.drawMoving(...all);
    this.chart = new LatentMap(this.map, still, moving);
    this.middle = picture("Reconstruction from μ");
    this.drawn = Array.from({ length: DRAWS }, (_, i) => picture(`Draw ${i + 1} from the posterior, decoded`));
    this.walked = picture("Image on the walk");
    this.fallen = Array.from({ length: DROPPED }, (_, i) => picture(`Sample ${i + 1} of the prior, decoded`));
    this.numbers = make("div", { class: "readout" });
    this.bars = ["recon", "kl"].map((name) =>
      ({ name, bar: make("div", { class: `bar ${name}` }), text: make("span", {}) }));
    this.root = make("div", { class: "answer", role: "group", "aria-label": title },
      make("div", { class: "title" }, title), this.map, this.numbers,
      row("from μ", [this.middle]), row("from draws", this.drawn),
      row("on the walk", [this.walked]), row("samples of the prior", this.fallen, "many"),
      make("div", { class: "bars" }, ...this.bars.flatMap(({ name, bar, text }) =>
        [make("span", {}, name === "kl" ? "KL" : "recon at μ"), make("div", { class: "track" }, bar), text])));
  }

  take(x, noise) { // x: 784 greys, or null; noise: pairs from N(0, I). Returns the two terms in nats
    this.code = x && this.encode(x); this.x = x;
    this.draws = []; this.terms = [];
    if (!x) {
      [this.middle, this.walked, ...this.drawn].forEach((canvas) => paint(canvas, new Float32Array(784)));
      return [];
    }
    const { mu, logvar } = this.code, image = this.decode(mu);
    this.sigma = logvar.map((v) => Math.exp(v / 2));
    this.draws = noise.map((eps) => eps.map((e, k) => mu[k] + this.sigma[k] * e));
    this.terms = [squaredError(x, image), klToStandardNormal(mu, logvar)];
    paint(this.middle, image);
    this.drawn.forEach((canvas, i) => paint(canvas, this.decode(this.draws[i])));
    return this.terms;
  }

  drop(samples) { // of the prior
    this.dropped = samples;
    samples.forEach((z, i) => paint(this.fallen[i], this.decode(z)));
    this.chart.draw();
  }

  stroll(from, t) { // on the line from the mean of another image's posterior to the mean of this one's
    this.from = from && this.code && Array.from(this.encode(from).mu);
    this.at = this.from && between(this.from, Array.from(this.code.mu), t);
    if (this.at) paint(this.walked, this.decode(this.at));
    this.chart.draw();
  }

  tell(most) { // most: the longest bar of all models, in nats
    this.bars.forEach(({ bar, text }, i) => {
      bar.style.width = this.x ? `${100 * this.terms[i] / most}%` : 0;
      text.textContent = this.x ? `${decimal(this.terms[i], 1)} nats` : "";
    });
    const pair = (values) => `(${Array.from(values, (v) => small(v)).join(", ")})`;
    this.numbers.textContent = this.x ? `μ = ${pair(this.code.mu)}, σ = ${pair(this.sigma)}` : "no image yet";
    this.map.setAttribute("aria-label", `Latent plane ${this.panel.title}: ${this.x
      ? `the posterior of the image, ${this.numbers.textContent}` : "no image yet"}`);
  }

  drawStill(g, frame, colors) {
    clipped(g, frame, () => drawCodes(g, frame, { codes: this.codes, labels: this.labels, chosen: new Map() }, colors));
    drawCircle(g, frame, 2, colors);
    drawLabels(g, frame, this.panel.medians, new Map(), colors);
  }

  drawMoving(g, frame, colors) {
    clipped(g, frame, () => {
      if (this.from) {
        drawLine(g, [this.from, Array.from(this.code.mu)].map(frame.screen), colors.ink, { closed: false, width: 1.6 });
      }
      this.dropped.forEach((z) => drawMark(g, frame.screen(z), 5, colors.prior, colors.paper));
      if (!this.x) return;
      this.draws.forEach((z) => drawDot(g, frame.screen(z), 2.2, colors.ink, colors.paper));
      drawEllipse(g, frame, this.code.mu, this.sigma, colors);
      if (this.at) drawRing(g, frame.screen(this.at), 7, false, colors);
    });
  }
}
