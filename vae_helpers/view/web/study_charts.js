// The three charts of the training: both terms over the epochs, and the KL term against β with what was predicted.

class StudyCharts {
  constructor(thresholds) { // the β below which the axes of a linear VAE are used, largest first
    this.thresholds = thresholds;
    this.canvases = ["recon", "kl", "collapse"].map((name) =>
      make("canvas", { class: `chart ${name}`, role: "img", "aria-label": `Chart: ${name}` }));
    this.root = make("div", { class: "charts" }, ...this.canvases.slice(0, 2), make("div", {}, this.canvases[2],
      make("div", { class: "told" }, "Line: predicted. Small dots: your model after each epoch; large dot: now.")));
    this.line = Array.from({ length: 197 }, (_, i) => 0.04 + i * 0.01)
      .map((beta) => [beta, thresholds.reduce((sum, t) => sum + Math.max(0, Math.log(t / beta)) / 2, 0)]);
  }

  // history: rows of epoch, both recon, both kl; trail, now: places of β and kl; said: a sentence on all.
  draw({ history, trail, now: [beta, cost], said }, colors) {
    const [recon, kl, collapse] = this.canvases, column = (k) => history.map((row) => [row[0], row[k]]);
    const most = (k) => Math.max(5, ...history.map((row) => Math.max(row[k], row[k + 1]))) * 1.08;
    const shared = { across: [0, Math.max(10, ...history.map(([epoch]) => epoch))], name: "epochs" };
    const both = (k, color) => [{ points: column(k), color, dash: [6, 4], width: 2, text: "without" },
      { points: column(k + 1), color, width: 2.4, text: "with" }];
    const name = "reconstruction (nats)";
    drawChart(recon, { ...shared, title: name, up: [0, most(1)], lines: both(1, colors.focus) }, colors);
    drawChart(kl, { ...shared, title: "KL (nats)", up: [0, most(3)], lines: both(3, colors.kl) }, colors);
    drawChart(collapse, { title: "KL (nats) at your β", across: [0, BETAS.max], name: "β", up: [0, 6],
      marks: this.thresholds.map((x, i) => ({ x, text: `2λ${"₁₂"[i]}` })),
      lines: [{ points: this.line, color: colors.ink, width: 1.8 },
        { points: trail, color: colors.kl, width: 0, dot: 2.4 },
        { points: [[beta, Math.min(cost, 5.7)]], color: colors.kl, width: 0, dot: 6,
          text: cost > 5.7 ? `${decimal(cost, 1)}, above` : "" }] }, colors);
    recon.setAttribute("aria-label", `Reconstruction term of both models over the epochs. ${said}`);
    kl.setAttribute("aria-label", `KL term of both models over the epochs. ${said}`);
    collapse.setAttribute("aria-label", "KL against β, with the line that a linear model predicts: it reaches zero at "
      + `β = ${decimal(this.thresholds[0], 2)}. Your model stands at β = ${decimal(beta, 2)}. ${said}`);
  }
}
