// A control without a kernel: one range input for each of its inputs, and the frame that belongs to where they stand.

const REST = 400, PACE = 400; // milliseconds until a place is spoken, and between steps of the play button
const ALONE = "Here, without a kernel, one slider moves at a time; the others return to their start.";
let frameCount = 0;

class Frames {
  constructor(host, data, said) {
    this.prefix = `vae-${host.dataset.vaeFrames}-${frameCount++}`;
    Object.assign(this, { host, data, said: said.split("\n") });
    this.at = data.inputs.map((input) => input.start);
    this.sentence = make("p", { class: "said" });
    this.live = make("p", { class: "live", role: "status", "aria-live": "polite" });
    this.view = make("div", { class: "view", role: "img" });
    this.rows = data.inputs.map((input, i) => this.row(input, i));
  }

  row({ label, names }, i) {
    const range = make("input", { type: "range", min: 0, max: names.length - 1, step: 1 }), shown = make("output", {});
    range.addEventListener("input", () => { this.halt(); this.move(i, Number(range.value)); });
    range.addEventListener("keydown", (event) => event.stopPropagation()); // a notebook has uses for arrow keys
    return { range, shown, row: make("label", {}, make("span", {}, label), range, shown) };
  }

  async fill() {
    const { data, view, rows } = this;
    this.show = await (data.layers ? layersIn : tilesIn)(view, data, this.prefix);
    const note = data.alone && rows.length > 1 ? [make("p", { class: "note" }, ALONE)] : [];
    const root = make("div", { class: "box" }, make("style", {}, data.style), ...this.player(),
      make("div", { class: "inputs" }, ...rows.map(({ row }) => row)), ...note, view, this.sentence, this.live);
    const shadow = this.host.attachShadow({ mode: "open" }); // the page's styles stay out, ours stay in
    shadow.append(root);
    this.host.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab's arrow keys stay out
    this.draw();
  }

  player() {
    const i = this.data.play;
    if (i === undefined) return [];
    this.button = make("button", { type: "button", class: "play" }, "▶ Play");
    this.button.addEventListener("click", () => (this.timer ? this.halt() : this.play(i)));
    return [this.button];
  }

  play(i) {
    const last = this.data.inputs[i].names.length - 1;
    this.button.textContent = "Pause";
    if (this.at[i] === last) this.move(i, 0);
    this.timer = setInterval(() => {
      this.move(i, this.at[i] + 1);
      if (this.at[i] === last) this.halt();
    }, PACE);
  }

  halt() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = null; this.button.textContent = "▶ Play";
  }

  frame() { // the number of the frame that belongs to where the inputs stand
    const { inputs, alone } = this.data;
    if (!alone) return this.at.reduce((sum, k, i) => sum * inputs[i].names.length + k, 0);
    const i = Math.max(this.at.findIndex((k, n) => k !== inputs[n].start), 0);
    return inputs.slice(0, i).reduce((sum, input) => sum + input.names.length, 0) + this.at[i];
  }

  move(i, k) {
    if (this.data.alone) this.at = this.data.inputs.map((input) => input.start);
    this.at[i] = k;
    this.taken = true;
    this.draw();
  }

  draw() {
    const frame = this.frame(), said = this.said[frame], stand = this.data.moved[frame] || this.at;
    this.rows.forEach(({ range, shown }, i) => {
      const name = this.data.inputs[i].names[stand[i]];
      range.value = stand[i]; shown.value = name; range.setAttribute("aria-valuetext", name);
    });
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => {
      this.show(frame);
      this.sentence.textContent = said;
      this.view.setAttribute("aria-label", said);
      this.host.dataset.frame = frame;
    });
    clearTimeout(this.later);
    this.later = setTimeout(() => { // spoken when the input rests
      if (!this.taken) return;
      this.live.textContent = said;
      tellRest(this.host);
    }, REST);
  }

  state() {
    const plain = (text) => text.replace("−", "-"); // for an address
    return Object.fromEntries(this.data.inputs.map(({ name, names }, i) => [name, plain(names[this.at[i]])]));
  }

  take(values) { // { argument: name of a position, or a number, which takes the nearest position }
    this.halt();
    const { inputs, alone } = this.data, goal = inputs.map((input) => input.start);
    inputs.forEach(({ name, names }, i) => { if (name in values) goal[i] = nearest(names, values[name]); });
    const first = goal.findIndex((k, i) => k !== inputs[i].start);
    this.at = goal.map((k, i) => (alone && i !== first ? inputs[i].start : k));
    this.taken = true;
    this.draw();
  }
}

function nearest(names, value) {
  const exact = names.indexOf(value), number = (text) => parseFloat(String(text).replace("−", "-"));
  if (exact >= 0) return exact;
  const away = names.map((name) => Math.abs(number(name) - number(value)));
  return Math.max(away.indexOf(Math.min(...away)), 0);
}

async function start(host, data) {
  if (!("DecompressionStream" in window)) return Promise.reject(new Error("This browser keeps the still picture."));
  const control = new Frames(host, data, await words(data.said));
  host.vae.state = () => control.state();
  host.vae.take = (values) => control.take(values);
  await control.fill();
}
