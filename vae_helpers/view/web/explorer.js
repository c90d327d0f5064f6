// The exploration without a kernel: one cursor, several latent planes, each decoded by a forward pass in the page.
// block.py joins these files in one script element inside one function; start.js calls start(host, data).

const STEP = 0.01, BIG_STEP = 0.05; // of one key press, in quantiles

class Explorer {
  constructor(host, data) {
    this.data = data; this.u = data.start;
    this.planes = data.panels.map((panel) => new Plane(panel, data.path));
    this.same = make("input", { type: "checkbox" });
    this.live = make("div", { class: "live", role: "status", "aria-live": "polite" });
    this.probe = make("span", { class: "probe" }); // has the page's text colour
    this.shown = [0, 1].map(() => make("span", { class: "percent" }));
    this.sliders = ["z₁", "z₂"].map((name) => make("input",
      { type: "range", min: EDGE, max: 1 - EDGE, step: 0.005, "aria-label": `${name} quantile` }));
    this.walk = data.path.length ? new Walk(data.path, (u) => this.move(u)) : null;
    this.box = this.build();
    this.listen();
    host.attachShadow({ mode: "open" }).append(this.probe, this.box); // the page's styles stay out, ours stay in
    host.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab: arrow keys in here are not its shortcuts
    host.explorer = { move: (u) => this.take(u), state: () => this.u.slice() };
    this.host = host;
    host.vae.state = () => ({ u1: (100 * this.u[0]).toFixed(1), u2: (100 * this.u[1]).toFixed(1) });
    host.vae.take = (at) =>
      this.take(["u1", "u2"].map((name, k) => (name in at ? parseFloat(at[name]) / 100 : this.u[k])));
  }

  build() {
    const { data, planes, sliders, shown, walk } = this, many = planes.length > 1;
    const digits = [...new Set(data.panels.flatMap((panel) => panel.medians.map(([digit]) => digit)))].sort();
    const legend = digits.length ? makeLegend(digits, (chosen) => planes.forEach((plane) => plane.choose(chosen))) : "";
    const same = many ? make("label", { class: "same" }, this.same, "same scale on all planes") : "";
    const mark = (kind, text) => make("div", {}, make("div", { class: `mark ${kind}` }), text);
    return make("div", { class: "box" }, make("style", {}, data.style),
      make("div", { class: many ? "planes many" : "planes" }, ...planes.map((plane) => plane.root)),
      make("div", { class: "controls" }, ...["z₁ quantile", "z₂ quantile"].map((name, k) =>
        make("label", { class: "quantile" }, name, sliders[k], shown[k]))),
      make("div", { class: "row" }, legend, walk ? walk.button : "", same),
      make("div", { class: "row key" },
        mark("ring", "cursor: drag it, or use arrow keys (Shift: faster, Home: middle)"),
        mark("", "where the cursor can go: middle 95 % per axis of the fitted Gaussian"),
        mark("dashed", "the same region of the prior N(0, I)"), walk ? mark("dotted", "the path") : ""),
      this.live);
  }

  listen() {
    this.planes.forEach((plane) => this.listenTo(plane));
    this.sliders.forEach((slider, k) => { // range inputs also do what they do anywhere: Page Up, End, a finger, a mouse
      slider.addEventListener("input", () => this.take(this.u.map((x, i) => (i === k ? Number(slider.value) : x))));
      slider.addEventListener("keydown", (event) => this.key(event, k));
    });
    this.same.addEventListener("change", () => this.layout());
    watchTheme(this.probe, this.box, () => this.layout());
  }

  listenTo(plane) {
    const place = (event) => [event.offsetX, event.offsetY]; // from the corner of the canvas
    const drag = (event) => { this.take(plane.quantiles(place(event))); plane.point(place(event)); };
    plane.map.addEventListener("pointerdown", (event) => {
      plane.map.setPointerCapture(event.pointerId); plane.map.focus({ preventScroll: true }); drag(event);
    });
    plane.map.addEventListener("pointermove", (event) => {
      if (plane.map.hasPointerCapture(event.pointerId)) drag(event); else plane.point(place(event));
    });
    plane.map.addEventListener("pointerleave", (event) => { // a finger that is lifted leaves its picture
      if (event.pointerType === "mouse") plane.point(null);
    });
    plane.map.addEventListener("keydown", (event) => this.key(event));
  }

  key(event, axis) { // axis 0 or 1: a slider, which moves one coordinate; none: a plane, which moves both
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [-1, 1], ArrowUp: [1, 1] }[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey || (!way && event.key !== "Home")) return;
    const step = event.shiftKey ? BIG_STEP : STEP, along = axis === undefined && way ? way[1] : axis;
    this.take(way ? this.u.map((x, k) => (k === along ? x + way[0] * step : x)) : [0.5, 0.5]);
    event.preventDefault(); event.stopPropagation(); // a notebook would take arrow keys for itself
  }

  take(u) { // the reader moves the cursor, so a walk ends
    if (this.walk) this.walk.halt();
    this.taken = true;
    this.move(u);
  }

  move(u) {
    this.u = u.map((x) => clamp(x, EDGE, 1 - EDGE));
    this.u.forEach((x, k) => {
      this.sliders[k].value = x; this.shown[k].textContent = percent(x);
      this.sliders[k].setAttribute("aria-valuetext", percent(x));
    });
    const places = this.planes.map((plane) => plane.move(this.u));
    clearTimeout(this.later); // spoken when the cursor rests, not at every step of a drag
    this.later = setTimeout(() => {
      this.live.textContent = [`Cursor at quantiles ${this.u.map(percent).join(" and ")}.`, ...places].join(" ");
      if (this.taken) tellRest(this.host);
    }, 300);
  }

  layout() {
    const colors = readTheme(this.probe, this.box);
    this.planes.forEach((plane) => plane.chart.resize(this.same.checked ? this.data.view : plane.panel.view, colors));
    this.move(this.u);
  }
}

function start(host, data) {
  new Explorer(host, data).layout();
}
