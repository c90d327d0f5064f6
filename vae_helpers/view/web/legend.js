// The controls beside the sliders: the legend of classes, and the button that walks along a path.

const PACE = 0.1; // of the path, in quantiles per second

// One button per class: pressed, its codes show and the others are faint; with none pressed all show.
// change(chosen) gets a Map from each pressed class to the smallest place that was free. One stop of the Tab key.
function makeLegend(digits, change) {
  const chosen = new Map();
  const buttons = digits.map((digit, i) => make("button",
    { type: "button", "aria-pressed": false, "aria-label": `digit ${digit}`, tabindex: i ? -1 : 0 }, digit));
  buttons.forEach((button, i) => button.addEventListener("click", () => {
    const taken = [...chosen.values()], digit = digits[i];
    if (!chosen.delete(digit)) chosen.set(digit, digits.findIndex((_, place) => !taken.includes(place)));
    buttons.forEach((other, k) => {
      const on = chosen.has(digits[k]);
      other.setAttribute("aria-pressed", on); other.dataset.place = on ? chosen.get(digits[k]) : "";
      other.tabIndex = k === i ? 0 : -1;
    });
    change(chosen);
  }));
  const group = make("div", { role: "toolbar", "aria-label": "show only these digits" }, ...buttons);
  group.addEventListener("keydown", (event) => {
    const from = buttons.indexOf(event.target), last = buttons.length - 1;
    const ways = { ArrowLeft: Math.max(from - 1, 0), ArrowRight: Math.min(from + 1, last), Home: 0, End: last };
    const to = ways[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    buttons.forEach((button, k) => { button.tabIndex = k === to ? 0 : -1; });
    buttons[to].focus(); event.preventDefault(); event.stopPropagation();
  });
  return make("div", { class: "legend" }, make("span", {}, "show only"), group);
}

function finely(path) { // twenty places for each of its lines: straight in quantiles, they are curved in a plane
  const line = (from, to) => Array.from({ length: 20 }, (_, i) => between(from, to, (i + 1) / 20));
  return path.flatMap((to, k) => line(path[Math.max(k - 1, 0)], to));
}

// A button that walks: play and pause, at an even pace; where less motion is asked for, one place per click.
class Walk {
  constructor(path, move) {
    const lengths = path.map((to, k) => (k ? Math.hypot(to[0] - path[k - 1][0], to[1] - path[k - 1][1]) : 0));
    Object.assign(this, { path, move, lengths, gone: 0, next: 0, running: false });
    this.total = lengths.reduce((sum, length) => sum + length);
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.button = makeButton("", () => {
      if (this.running) this.halt(); else if (this.still.matches) this.step(); else this.start();
    });
    this.halt();
  }

  name(sign, text) {
    this.button.replaceChildren(make("span", { "aria-hidden": true }, `${sign}\ufe0e `), text);
  }

  halt() {
    cancelAnimationFrame(this.frame); this.running = false;
    if (this.still.matches) this.name("⏭", "next place on the path"); else this.name("▶", "walk the path");
  }

  step() {
    this.move(this.path[this.next]);
    this.next = (this.next + 1) % this.path.length; this.halt();
  }

  start() {
    if (this.gone >= this.total) this.gone = 0;
    this.running = true; this.name("⏸", "pause");
    let last = null;
    const tick = (now) => {
      if (last !== null) this.gone += PACE * Math.min(now - last, 100) / 1000; // a page that was hidden does not leap
      last = now; this.move(this.place());
      if (this.gone >= this.total) this.halt(); else this.frame = requestAnimationFrame(tick);
    };
    this.frame = requestAnimationFrame(tick);
  }

  place() {
    let left = Math.min(this.gone, this.total), k = 1;
    while (left > this.lengths[k] && k < this.path.length - 1) left -= this.lengths[k++];
    return between(this.path[k - 1], this.path[k], Math.min(left / (this.lengths[k] || 1), 1));
  }
}
