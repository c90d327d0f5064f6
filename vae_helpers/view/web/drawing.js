// The first part of the playground: an image, and what both encoders make of it.

class Drawing {
  constructor(data, changed) { // changed(pixels): the image is another one
    const pixels = bytes(data.images.pixels), labels = bytes(data.images.labels);
    this.images = Array.from(labels, (digit, i) =>
      ({ digit, pixels: Float32Array.from(pixels.subarray(784 * i, 784 * (i + 1)), (grey) => grey / 255) }));
    this.changed = changed; this.seed = 0; this.kept = this.images[0].pixels; this.samples = [];
    this.answers = data.models.map((panel) => new Answer(panel));
    this.pad = new Pad(this.images, data.images.source, (x, name) => this.take(x, name));
    this.slider = make("input",
      { type: "range", min: 0, max: 1, step: 0.05, value: 0.5, "aria-label": "place on the walk" });
    this.start = make("canvas",
      { class: "image", width: 28, height: 28, role: "img", "aria-label": "Where the walk starts" });
    this.said = make("p", { class: "said" }); this.status = makeStatus();
    this.slider.addEventListener("input", () => this.stroll());
    this.again = makeButton("draw from both posteriors again", () => { this.seed++; this.take(this.x, this.name); });
    this.keep = makeButton("let the walk start at this image", () => {
      this.kept = this.x; this.stroll();
      this.said.textContent = `The walk now starts at ${this.name}: take another image to walk to.`;
    });
    const drop = makeButton(`drop ${DROPPED} samples of the prior`, () => this.drop());
    this.root = make("div", { class: "part" }, make("slot", { name: "draw" }),
      make("div", { class: "drawing" }, make("div", { class: "left" }, this.pad.root,
        make("div", { class: "acts" }, this.again, drop, make("div", { class: "row" }, make("span", {}, "walk from"),
          this.start, make("label", { class: "along" }, "to the image", this.slider)), this.keep)),
      ...this.answers.map((answer) => answer.root)),
      this.said, this.status.node, make("slot", { name: "draw-marks" }), make("slot", { name: "draw-answer" }));
  }

  open(digit) {
    const image = this.images.find((each) => each.digit === digit);
    if (image) this.pad.show(image);
  }

  take(x, name) {
    const { normal } = makeRandom(this.seed), noise = Array.from({ length: DRAWS }, () => [normal(), normal()]);
    Object.assign(this, { x, name });
    const terms = this.answers.map((answer) => answer.take(x, noise)).flat();
    this.most = Math.max(...terms);
    this.answers.forEach((answer) => answer.tell(this.most));
    this.again.disabled = this.keep.disabled = this.slider.disabled = !x;
    this.tell(); this.status.say(this.said.textContent);
    this.stroll();
    this.changed(x);
  }

  tell() {
    if (!this.x) {
      this.said.textContent = "The pad is empty: draw a digit, or take one.";
      return;
    }
    const [one, other] = this.answers, wide = (answer) => Math.sqrt(answer.sigma[0] * answer.sigma[1]);
    const ratio = wide(other) / wide(one);
    const times = ratio < 1e6 ? Number(ratio.toPrecision(2)).toLocaleString("en") : powered(ratio);
    this.said.textContent = `For ${this.name}, ${other.panel.title} the posterior is about ${times} times as wide as `
      + `${one.panel.title}, on average over both axes, and its KL is ${decimal(other.terms[1], 1)} nats in place of `
      + `${decimal(one.terms[1], 1)}. A full bar is ${decimal(this.most, 0)} nats.`;
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
