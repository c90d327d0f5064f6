// The third part of the playground: two small VAEs that train in the page, without the KL term and with the reader's β.

const BETAS = { min: 0, max: 2, step: 0.05, value: 0.1 };

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
      make("div", { class: "row" }, this.go, this.one, this.anew, make("label", { class: "seed" }, "seed", this.seed),
        make("label", { class: "along" }, "your β", this.slider, this.shown)),
      this.said, make("div", { class: "studies" }, ...this.planes.map((plane) => plane.root)),
      make("div", { class: "row" }, legend), this.charts.root, this.live,
      make("slot", { name: "train-answer" }));
  }

  controls() {
    const button = (text, act) => {
      const node = make("button", { type: "button", class: "walk" }, text);
      node.addEventListener("click", act);
      return node;
    };
    this.go = button("▶\ufe0e start", () => this.send({ act: this.running ? "pause" : "go" }));
    this.one = button("one batch", () => this.send({ act: "step" }));
    this.anew = button("restart", () => this.restart());
    this.seed = make("input", { type: "number", min: 0, max: 9999, step: 1, value: 0 });
    this.seed.addEventListener("change", () => this.restart());
    this.slider = make("input", { type: "range", ...BETAS, "aria-label": "your β, the weight of the KL term" });
    this.slider.addEventListener("input", () => this.weigh());
    this.shown = make("span", { class: "percent" });
    this.said = make("p", { class: "said" });
    this.live = make("div", { class: "live", role: "status", "aria-live": "polite" });
  }

  begin() { // a worker; where the page may not have one, the same in this thread
    const hear = (report) => this.hear(report), inside = () => {
      this.session = new Session((report) => setTimeout(() => hear(report), 0), this.images());
      this.port = (message) => this.session.receive(message);
    };
    try {
      const worker = new Worker(URL.createObjectURL(new Blob([this.data.worker], { type: "text/javascript" })));
      worker.onmessage = ({ data }) => hear(data);
      worker.onerror = (event) => { event.preventDefault(); if (!this.report) { inside(); this.restart(); } };
      worker.postMessage(this.images());
      this.port = (message) => worker.postMessage(message);
    } catch (error) {
      inside();
    }
    this.restart();
  }

  images() {
    return { pixels: this.pixels, images: this.labels.length };
  }

  send(message) {
    if (message.act === "go" || message.act === "pause") this.name(message.act === "go");
    this.port({ ...message, asked: ++this.asked });
  }

  weigh() {
    const beta = Number(this.slider.value);
    this.shown.textContent = decimal(beta, 2);
    this.slider.setAttribute("aria-valuetext", decimal(beta, 2));
    this.send({ beta, act: this.running ? "more" : "" });
    this.trail = this.trail.slice(-400);
    this.drawCharts();
  }

  restart() {
    const seed = clamp(Math.round(Number(this.seed.value)) || 0, 0, 9999);
    this.seed.value = seed; this.history = []; this.trail = []; this.run++;
    this.planes.forEach((plane) => { plane.reach = 0; });
    this.name(false);
    this.send({ act: "restart", seed, run: this.run, beta: Number(this.slider.value) });
    this.weigh();
  }

  name(running) {
    this.running = running;
    this.go.textContent = running ? "⏸\ufe0e pause" : this.history.length > 1 ? "▶\ufe0e go on" : "▶\ufe0e start";
  }

  hear(report) {
    if (report.run !== this.run) return; // of an earlier start
    this.report = report;
    const [without, own] = report.models;
    this.history.push([report.epoch, without.recon, own.recon, without.kl, own.kl]);
    if (report.epoch > 0) this.trail.push([report.beta, own.kl]);
    if (report.asked === this.asked) this.name(report.running); // not where a later wish is on its way
    const few = this.still.matches && report.running && Math.round(report.epoch) % 10; // fewer pictures, if asked for
    if (!few) requestAnimationFrame(() => this.draw());
    if (!report.running || Math.round(report.epoch) % 10 === 0) this.live.textContent = this.tell();
  }

  tell() {
    const { epoch, models: [without, own], beta } = this.report, passes = epoch % 1 ? decimal(epoch, 2) : epoch;
    if (!epoch) return "Not trained yet: both models are the same, and every image gets nearly the same code.";
    const terms = ({ recon, kl }) => `recon ${decimal(recon, 2)} and KL ${decimal(kl, 2)} nats`;
    return `After ${passes} ${epoch === 1 ? "epoch" : "epochs"}: without the KL term ${terms(without)}; `
      + `with β = ${decimal(beta, 2)} ${terms(own)}.`;
  }

  draw() {
    if (!this.report || !this.colors) return;
    this.said.textContent = this.tell();
    this.planes.forEach((plane, k) => plane.take(this.report.models[k], this.colors));
    this.drawCharts();
  }

  drawCharts() {
    const { report, history, trail, colors } = this, beta = Number(this.slider.value);
    if (!report || !colors) return;
    const now = [beta, report.models[1].kl];
    this.charts.draw({ history, trail: [...trail, now], beta, said: this.tell() }, colors);
  }

  layout(colors) {
    this.colors = colors;
    this.draw();
  }
}
