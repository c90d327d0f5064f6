// The second part of the playground: the steps as boxes with arrows, beside them the lines of code, linked both ways.

class Graph {
  constructor(data, answers) {
    Object.assign(this, { answers, model: 1, beta: 1, seed: 0, active: "z", x: null });
    this.nodes = {}; this.values = {}; this.links = [];
    STEPS.forEach((step) => this.build(step));
    this.lines = LINES.map((line, i) => // not on the way of the Tab key, which goes through the boxes
      this.linked(make("code", { class: "line", tabindex: -1 }, line), STEPS.find((step) => step.line === i).id));
    const holder = make("div", {});
    holder.innerHTML = '<svg aria-hidden="true"></svg>'; // brings its namespace
    this.svg = holder.firstChild;
    this.board = make("div", { class: "board" }, this.svg, ...STEPS.map(({ id }) => this.nodes[id]));
    new ResizeObserver(() => this.layout()).observe(this.board);
    this.worked = make("p", { class: "said" }); this.status = makeStatus();
    this.slider = make("input",
      { type: "range", min: 0, max: 8, step: 0.1, value: 1, "aria-label": "β, the weight of the KL term" });
    this.shown = make("span", { class: "percent" });
    this.slider.addEventListener("input", () => { this.beta = Number(this.slider.value); this.update(); });
    const again = makeButton("draw ε again", () => { this.seed++; this.update(); this.point("eps"); });
    this.which = data.models.map(({ title }, k) => {
      const node = makeButton(title, () => { this.model = k; this.update(); });
      node.setAttribute("aria-pressed", k === this.model);
      return node;
    });
    this.root = make("div", { class: "part" }, make("slot", { name: "graph" }),
      make("div", { class: "row" }, make("span", {}, "the model"), ...this.which, again,
        make("label", { class: "along" }, "β", this.slider, this.shown)),
      make("div", { class: "linked" }, this.board, make("div", { class: "listing" }, ...this.lines)),
      this.worked, this.status.node,
      make("slot", { name: "graph-answer" }));
  }

  build({ id, name, formula }) {
    this.values[id] = /^x/.test(id)
      ? make("canvas", { class: "image", width: 28, height: 28, role: "img",
        "aria-label": id === "x" ? "the image" : "the decoded image" })
      : make("span", { class: "value" });
    this.nodes[id] = this.linked(make("div", { class: `node ${id}` },
      make("b", {}, name), this.values[id], make("span", { class: "formula" }, formula)), id);
  }

  linked(node, id) { // a box or a line: hover, touch and Tab show its step
    if (!node.hasAttribute("tabindex")) node.setAttribute("tabindex", 0);
    node.dataset.step = id;
    ["pointerenter", "focus", "click"].forEach((kind) => node.addEventListener(kind, () => this.point(id)));
    return node;
  }

  take(x) {
    this.x = x; this.update();
  }

  update() {
    const random = makeRandom(500 + this.seed), eps = [random.normal(), random.normal()];
    const answer = this.answers[this.model];
    this.which.forEach((node, k) => node.setAttribute("aria-pressed", k === this.model));
    this.shown.textContent = decimal(this.beta, 1);
    this.slider.setAttribute("aria-valuetext", decimal(this.beta, 1));
    this.board.classList.toggle("empty", !this.x);
    if (!this.x) {
      this.worked.textContent = "Draw or choose an image above: then there are numbers here.";
      ["x", "xhat"].forEach((id) => paint(this.values[id], new Float32Array(784)));
      return;
    }
    this.numbers = stepsOf(answer.encode, answer.decode, this.x, eps, this.beta);
    STEPS.forEach(({ id }) => {
      const value = this.numbers[id], node = this.values[id];
      if (/^x/.test(id)) paint(node, value);
      else node.textContent = typeof value === "number" ? small(value) : `(${Array.from(value, small).join(", ")})`;
    });
    this.layout();
  }

  point(id) {
    const { line, from } = STEPS.find((step) => step.id === id);
    this.active = id;
    STEPS.forEach((step) => this.nodes[step.id].classList.toggle("active", step.id === id));
    STEPS.forEach((step) => this.nodes[step.id].classList.toggle("needed", from.includes(step.id)));
    this.lines.forEach((node, i) => node.classList.toggle("active", i === line));
    this.links.forEach(({ path, to }) => path.classList.toggle("active", to === id));
    if (!this.x) return;
    this.worked.textContent = `${worked(id, this.numbers)}.`;
    this.status.say(this.worked.textContent);
  }

  layout() { // arrows from box to box, wherever the boxes have come to lie
    const { board, svg } = this, outer = board.getBoundingClientRect();
    if (!outer.width) return;
    const place = (id) => {
      const box = this.nodes[id].getBoundingClientRect();
      return { x: box.left - outer.left, y: box.top - outer.top, w: box.width, h: box.height };
    };
    svg.setAttribute("viewBox", `0 0 ${outer.width} ${outer.height}`);
    const size = { w: outer.width, h: outer.height }, across = place("x").x < place("mu").x - 40; // or downwards
    this.links = STEPS.flatMap(({ id, from }) => from.map((other) => {
      const path = document.createElementNS(svg.namespaceURI, "path");
      path.setAttribute("d", arrowOf(place(other), place(id), LANES[`${other} ${id}`], size, across));
      path.dataset.from = other; path.dataset.to = id;
      return { path, to: id };
    }));
    svg.replaceChildren(...this.links.map(({ path }) => path));
    this.point(this.active);
  }
}
