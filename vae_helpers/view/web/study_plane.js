// One of the two planes that train: where the codes of all images lie, and what the prior decodes to.

const REACHES = [3.2, 4.5, 6.4, 9, 13, 18, 26, 36, 52, 74, 104, 148]; // of the view, which so changes seldom

class StudyPlane {
  constructor(title, study, number) {
    Object.assign(this, { study, title, reach: 0, codes: new Float32Array(0) });
    this.map = make("canvas", { class: "map", role: "img", "aria-label": `Latent plane ${title}` });
    this.chart = new LatentMap(this.map, (...all) => this.drawStill(...all), () => {});
    this.grid = make("canvas", { class: "image", width: 10 * 5, height: 10 * 5, role: "img",
      "aria-label": `Twenty-five places of the prior, decoded, ${title}` });
    this.numbers = make("div", { class: "readout" });
    this.root = make("div", { class: "study", role: "group", "aria-label": title },
      make("div", { class: "title" }, number ? `${title}, your β` : `${title}, β = 0`), this.map,
      make("div", { class: "beside" },
        this.grid, make("div", { class: "told" }, "decoded over the prior"), this.numbers));
  }

  take({ codes, pictures, recon, kl }, colors) {
    const sizes = Float32Array.from(codes, Math.abs).sort(), far = sizes[Math.floor(0.995 * sizes.length)] * 1.1;
    if (far > this.reach || far < this.reach / 3) this.reach = REACHES.find((reach) => reach >= far) || far;
    this.codes = codes;
    this.medians = this.middles();
    this.chart.resize([[-this.reach, this.reach], [-this.reach, this.reach]], colors);
    this.paintGrid(pictures);
    this.numbers.textContent = `recon ${decimal(recon, 2)}, KL ${decimal(kl, 2)} nats`;
    this.map.setAttribute("aria-label", `Codes of ${codes.length / 2} digits ${this.title}; the view reaches to `
      + `${decimal(this.reach, 1)} units. ${this.numbers.textContent}`);
  }

  middles() { // of the classes: [digit, z₁, z₂]
    const { labels } = this.study, { codes } = this;
    return [...new Set(labels)].sort().map((digit) => {
      const those = [];
      labels.forEach((label, i) => { if (label === digit) those.push(i); });
      const median = (k) => those.map((i) => codes[2 * i + k]).sort((a, b) => a - b)[those.length >> 1];
      return [digit, median(0), median(1)];
    });
  }

  drawStill(g, frame, colors) {
    const { study: { labels, chosen }, codes } = this;
    clipped(g, frame, () => drawCodes(g, frame, { codes, labels, chosen }, colors));
    drawCircle(g, frame, 2, colors);
    drawLabels(g, frame, this.medians, chosen, colors);
  }

  paintGrid(pictures) { // 5 × 5 pictures of 8 × 8, each with a black edge
    const context = this.grid.getContext("2d"), image = new ImageData(8, 8);
    image.data.fill(255);
    for (let k = 0; k < pictures.length / 64; k++) {
      for (let i = 0; i < 64; i++) image.data.fill(pictures[64 * k + i], 4 * i, 4 * i + 3);
      context.putImageData(image, 10 * (k % 5) + 1, 10 * Math.floor(k / 5) + 1);
    }
  }
}
