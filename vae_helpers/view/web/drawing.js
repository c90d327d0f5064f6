// The first part of the playground: an image, and what both encoders make of it.

class Drawing {
  constructor(data, changed) { // changed(pixels): the image is another one
    const pixels = bytes(data.images.pixels), labels = bytes(data.images.labels);
    this.images = Array.from(labels, (digit, i) =>
      ({ digit, pixels: Float32Array.from(pixels.subarray(784 * i, 784 * (i + 1)), (grey) => grey / 255) }));
    this.changed = changed; this.seed = 0; this.kept = this.images[0].pixels; this.samples = [];
    this.answers = data.models.map((panel) => new Answer(panel));
    this.pad = new Pad(this.images, data.images.source, (x, name) => this.take(x, name));
    const button = (text, act) => {
      const node = make("button", { type: "button", class: "walk" }, text);
      node.addEventListener("click", () => act(node));
      return node;
    };
    this.slider = make("input",
      { type: "range", min: 0, max: 1, step: 0.05, value: 0.5, "aria-label": "place on the walk" });
    this.start = make("canvas",
      { class: "image", width: 28, height: 28, role: "img", "aria-label": "Where the walk starts" });
    this.said = make("p", { class: "said", role: "status", "aria-live": "polite" });
    this.slider.addEventListener("input", () => this.stroll());
    const again = button("draw from the posteriors again", () => { this.seed++; this.take(this.x, this.name); });
    const drop = button(`drop ${DROPPED} samples of the prior`, () => this.drop());
    const keep = button("let the walk start here", () => { this.kept = this.x || this.kept; this.stroll(); });
    this.root = make("div", { class: "part" }, make("slot", { name: "draw" }),
      make("div", { class: "drawing" }, this.pad.root, ...this.answers.map((answer) => answer.root)),
      this.said, make("div", { class: "row" }, again, drop),
      make("div", { class: "row" }, make("span", {}, "walk from"), this.start, make("label", { class: "along" },
        "to the image", this.slider), keep), make("slot", { name: "draw-answer" }));
  }

  open(digit) {
    const image = this.images.find((each) => each.digit === digit);
    if (image) this.pad.show(image);
  }

  take(x, name) {
    const { normal } = makeRandom(this.seed), noise = Array.from({ length: DRAWS }, () => [normal(), normal()]);
    Object.assign(this, { x, name });
    const terms = this.answers.map((answer) => answer.take(x, noise)).flat();
    this.answers.forEach((answer) => answer.tell(Math.max(...terms)));
    this.tell();
    this.stroll();
    this.changed(x);
  }

  tell() {
    if (!this.x) { this.said.textContent = "The pad is empty."; return; }
    const [one, other] = this.answers, wide = (answer) => Math.sqrt(answer.sigma[0] * answer.sigma[1]);
    this.said.textContent = `For ${this.name}, ${other.panel.title} the posterior is `
      + `${Math.round(wide(other) / wide(one)).toLocaleString("en")} times as wide as ${one.panel.title}, and its code `
      + `costs ${decimal(other.terms[1], 1)} nats in place of ${decimal(one.terms[1], 1)}.`;
  }

  drop() { // new ones each time
    const random = makeRandom(1000 + this.seed++);
    this.samples = Array.from({ length: DROPPED }, () => [random.normal(), random.normal()]);
    this.answers.forEach((answer) => answer.drop(this.samples));
  }

  stroll() {
    const t = Number(this.slider.value);
    paint(this.start, this.kept);
    this.slider.setAttribute("aria-valuetext", `${Math.round(100 * t)} % of the way`);
    this.answers.forEach((answer) => answer.stroll(this.kept, t));
  }

  layout(colors) {
    this.answers.forEach((answer) => answer.chart.resize(answer.panel.view, colors));
  }
}
