// Training in the page: two small VAEs from the same first weights, on the same batches, with the same noise.
// Runs in a worker, or in the page where none is allowed: it works in short slices, so that messages come through.

const BATCH = 32, RATE = 0.005, ROUNDS = 30, SLICE = 25; // images, Adam's rate, epochs at a time, milliseconds

class Session {
  constructor(post, { pixels, images }) { // pixels: of all images, in [0, 1]; post(report)
    this.post = post;
    const many = SMALL.pixels;
    this.xs = Array.from({ length: images }, (_, i) => pixels.subarray(many * i, many * (i + 1)));
    this.mean = Float64Array.from({ length: many }, (_, j) => this.xs.reduce((sum, x) => sum + x[j], 0) / images);
    this.betas = [0, 0]; this.running = false; this.timer = 0;
  }

  receive({ act, seed, beta, run, asked }) { // asked: the number of this message, which reports carry back
    this.asked = asked;
    if (beta !== undefined) this.betas[1] = beta;
    if (act === "restart") this.restart(seed, run);
    if (act === "go") { this.until = this.epoch() + ROUNDS; this.running = true; }
    if (act === "more") this.until = Math.max(this.until, this.epoch() + ROUNDS);
    if (act === "more" && !this.running) this.report(); // it had just come to rest: say so
    if (act === "pause" || act === "step") {
      this.running = false;
      if (act === "step") this.batch();
      this.report();
    }
    clearTimeout(this.timer);
    if (this.running) this.timer = setTimeout(() => this.slice(), 0);
  }

  restart(seed, run) {
    this.random = makeRandom(seed); this.run = run; this.running = false; this.batches = 0; this.until = 0;
    const first = new SmallVAE(SMALL);
    first.start(this.random.uniform, this.mean);
    this.models = [first, new SmallVAE(SMALL, Float64Array.from(first.numbers))];
    this.order = this.xs.map((_, i) => i); this.at = 0;
    this.report();
  }

  epoch() {
    return this.batches / Math.ceil(this.xs.length / BATCH);
  }

  batch() {
    if (this.at === 0) this.random.shuffle(this.order);
    const rows = this.order.slice(this.at, this.at + BATCH), eps = [0, 0];
    this.at = this.at + BATCH < this.order.length ? this.at + BATCH : 0; this.batches++;
    rows.forEach((row) => {
      eps[0] = this.random.normal(); eps[1] = this.random.normal();
      this.models.forEach((model, k) => model.learn(this.xs[row], eps, this.betas[k], 1 / rows.length));
    });
    this.models.forEach((model) => model.step(RATE));
  }

  slice() { // as many batches as the time allows; at the end of an epoch a report
    const end = performance.now() + SLICE;
    while (this.running && performance.now() < end) {
      this.batch();
      if (this.at === 0) {
        this.running = this.epoch() < this.until - 1e-9;
        this.report();
        break; // a slice of its own
      }
    }
    if (this.running) this.timer = setTimeout(() => this.slice(), 0);
  }

  report() { // where every image lies now, both terms over all images, and what the prior decodes to
    const { normal } = makeRandom(7), draws = this.xs.map(() => [normal(), normal()]), count = this.xs.length;
    const models = this.models.map((model) => {
      const codes = new Float32Array(2 * count), pictures = new Uint8Array(PRIOR.length * SMALL.pixels);
      let recon = 0, kl = 0;
      this.xs.forEach((x, i) => {
        model.encode(x); codes.set(model.mu, 2 * i);
        kl += klToStandardNormal(model.mu, model.logvar) / count;
        const z = model.mu.map((m, k) => m + Math.exp(model.logvar[k] / 2) * draws[i][k]);
        recon += squaredError(x, model.decode(z)) / count;
      });
      PRIOR.forEach((z, i) => pictures.set(model.decode(z).map((grey) => Math.round(255 * grey)), i * SMALL.pixels));
      return { recon, kl, codes, pictures };
    });
    const { run, asked, betas, running } = this;
    this.post({ run, asked, epoch: this.epoch(), beta: betas[1], running, models });
  }
}

const EDGES = [0.05, 0.25, 0.5, 0.75, 0.95]; // quantiles of the prior, at which the planes are decoded
const PRIOR = EDGES.slice().reverse().flatMap((v) => EDGES.map((u) => [probit(u), probit(v)]));
