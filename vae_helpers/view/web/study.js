// The third part of the playground: two small VAEs that train in the page, without the KL term and with the reader's β.

const BETAS = { min: 0, max: 2, step: 0.05 };

class Study {
  constructor(data) {
    Object.assign(this, { data, run: 0, asked: 0, history: [], trail: [], report: null, chosen: new Map() });
    this.labels = bytes(data.small.labels);
    this.pixels = Float64Array.from(bytes(data.small.pixels), (grey) => grey / 16);
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.planes = ["without the KL term", "with the KL term"].map((title, k) => new StudyPlane(title, this, k));
    this.charts = new StudyCharts(data.thresholds);
    this.controls();
    const legend = makeLegend([...new Set(this.labels)].sort(), (chosen) => { this.chosen = chosen; this.draw(); });
    this.root = make("div", { class: "part" }, make("slot", { name: "train" }),
      make("div", { class: "row bar-of-acts" }, this.go, this.one, this.anew,
        make("label", { class: "seed" }, "seed", this.seed),
        make("label", { class: "along" }, "your β", this.slider, this.shown)),
      this.said, make("div", { class: "studies" }, ...this.planes.map((plane) => plane.root)),
      make("div", { class: "row" }, legend), this.charts.root, this.status.node,
      make("slot", { name: "train-answer" }));
  }

  controls() {
    this.go = makeButton("▶\ufe0e start", () => this.send({ act: this.running ? "pause" : "go" }));
    this.one = makeButton("one batch", () => this.send({ act: "step" }));
    this.anew = makeButton("restart", () => this.restart());
    this.seed = make("input", { type: "number", min: 0, max: 9999, step: 1, value: 0 });
    this.seed.addEventListener("change", () => this.restart());
    this.slider = make("input",
      { type: "range", ...BETAS, value: this.data.beta, "aria-label": "your β, the weight of the KL term" });
    this.slider.addEventListener("input", () => this.weigh());
    this.shown = make("span", { class: "percent" });
    this.said = make("p", { class: "said" });
    this.status = makeStatus();
  }

  begin() {
    const given = { pixels: this.pixels, images: this.labels.length };
    this.port = new Port(this.data.worker, given, (report) => this.hear(report), () => this.restart());
    this.restart();
  }

  send(message) {
    if (/go|pause/.test(message.act)) this.name(message.act === "go");
    if (/pause|step|restart/.test(message.act)) this.rested = false;
    this.port.send({ ...message, asked: ++this.asked });
  }

  weigh() {
    const beta = Number(this.slider.value);
    this.shown.textContent = decimal(beta, 2);
    this.slider.setAttribute("aria-valuetext", decimal(beta, 2));
    this.settled = false;
    this.send({ beta, act: this.running ? "more" : this.rested ? "go" : "" }); // one that rested goes on
  }

  restart() {
    const seed = clamp(Math.round(Number(this.seed.value)) || 0, 0, 9999);
    this.seed.value = seed; this.run++;
    this.name(false);
    this.send({ act: "restart", seed, run: this.run, beta: Number(this.slider.value) });
    this.weigh();
  }

  name(running) {
    this.running = running;
    this.go.textContent = running ? "pause" : this.history.length > 1 ? "▶\ufe0e go on" : "▶\ufe0e start";
  }

  hear(report) {
    if (report.run !== this.run) return; // of an earlier start
    if (!this.report || this.report.run !== report.run) {
      this.history = []; this.trail = []; this.planes.forEach((plane) => { plane.reach = 0; });
    }
    this.report = report;
    const [without, own] = report.models;
    this.history.push([report.epoch, without.recon, own.recon, without.kl, own.kl]);
    if (this.settled && report.epoch % 1 === 0) this.trail = [...this.trail.slice(-400), [report.beta, own.kl]];
    this.settled = true; // a whole epoch with one β
    if (report.asked === this.asked) { // no later wish is on its way
      this.rested = this.running && !report.running;
      this.name(report.running);
    }
    const skip = this.still.matches && report.running && Math.round(report.epoch) % 10; // fewer pictures, if asked for
    if (!skip && !this.soon) this.soon = requestAnimationFrame(() => { this.soon = 0; this.draw(); });
    if (!report.running || Math.round(report.epoch) % 10 === 0) this.status.say(this.tell());
  }

  tell() {
    const { epoch, models: [without, own], beta } = this.report, passes = epoch % 1 ? decimal(epoch, 2) : epoch;
    if (!epoch) return "Not trained yet: both models are the same, and every image gets nearly the same code.";
    const terms = ({ recon, kl }) => `recon ${decimal(recon, 2)} and KL ${decimal(kl, 2)} nats`;
    return `After ${passes} ${epoch === 1 ? "epoch" : "epochs"}: without the KL term ${terms(without)}; `
      + `with β = ${decimal(beta, 2)} ${terms(own)}.`
      + (this.rested ? ` Training rests after ${ROUNDS} epochs: press “go on”, or move β.` : "");
  }

  draw() {
    if (!this.report || !this.colors) return;
    this.said.textContent = this.tell();
    this.planes.forEach((plane, k) => plane.take(this.report.models[k], this.colors));
    this.drawCharts();
  }

  drawCharts() {
    const { report: { models, beta }, history, trail, colors } = this;
    this.charts.draw({ history, trail, now: [beta, models[1].kl], said: this.tell() }, colors);
  }

  layout(colors) {
    this.colors = colors;
    this.draw();
  }
}
