// The pad: draw with a mouse, a pen or a finger, or choose a test image by a number key or a button.

const named = (digit) => (digit === 8 ? "an 8" : `a ${digit}`);

class Pad {
  // images: [{ digit, pixels }]; source: what they are; changed(pixels, name) gets 784 greys, or null.
  constructor(images, source, changed) {
    Object.assign(this, { images, source, changed, strokes: [], shown: null, hand: -1 });
    this.canvas = make("canvas", { class: "pad", width: 280, height: 280, tabindex: 0, role: "application",
      "aria-label": "Drawing pad: draw a digit, or press a number key for a test image, Delete to clear" });
    this.seen = make("canvas", { class: "image", width: 28, height: 28, role: "img",
      "aria-label": "The image as both encoders see it" });
    const digits = [...new Set(images.map(({ digit }) => digit))];
    this.buttons = digits.map((digit) =>
      make("button", { type: "button", "aria-label": `test image of a ${digit}` }, digit));
    this.clear = make("button", { type: "button" }, "clear (Delete)");
    this.told = make("div", { class: "told" });
    this.root = make("div", { class: "padding" }, this.canvas,
      make("div", { class: "seen" }, this.seen, make("div", { class: "told" }, "as the encoders see it"), this.told),
      make("div", { class: "row" }, make("span", {}, "or take a"), ...this.buttons, this.clear));
    this.listen();
  }

  listen() {
    const { canvas } = this;
    const place = ({ clientX, clientY }) => { // ink stays on the pad
      const { left, top, width, height } = canvas.getBoundingClientRect();
      return [clamp((clientX - left) / width, 0, 1), clamp((clientY - top) / height, 0, 1)];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button > 0 || canvas.hasPointerCapture(this.hand)) return; // a second finger
      this.hand = event.pointerId; canvas.setPointerCapture(this.hand);
      if (this.shown !== null) this.strokes = [];
      this.shown = null; this.strokes.push([place(event)]); this.drawSoon();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== this.hand || !canvas.hasPointerCapture(this.hand) || !this.strokes.length) return;
      this.strokes[this.strokes.length - 1].push(place(event)); this.drawSoon();
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (/^\d$/.test(event.key)) this.take(Number(event.key));
      else if (/^(Delete|Backspace)$/.test(event.key)) this.wipe();
      else return;
      event.preventDefault(); event.stopPropagation();
    });
    this.buttons.forEach((button) => button.addEventListener("click", () => this.take(Number(button.textContent))));
    this.clear.addEventListener("click", () => this.wipe());
  }

  take(digit) { // the next test image of this digit
    const those = this.images.filter((image) => image.digit === digit);
    if (those.length) this.show(those[(those.indexOf(this.shown) + 1) % those.length]);
  }

  show(image) {
    this.shown = image; this.strokes = [];
    this.told.textContent = `${named(image.digit)} ${this.source}`;
    this.give(image.pixels, named(image.digit));
    const g = this.canvas.getContext("2d"), side = this.canvas.width;
    g.imageSmoothingEnabled = false;
    g.drawImage(this.seen, 0, 0, side, side);
  }

  wipe() {
    this.strokes = []; this.shown = null; this.drawn();
  }

  drawSoon() { // once for each picture that the screen shows
    if (this.soon) return;
    this.soon = requestAnimationFrame(() => { this.soon = 0; if (this.strokes.length) this.drawn(); });
  }

  drawn() { // the strokes as they are, and what they become
    const g = this.canvas.getContext("2d"), side = this.canvas.width;
    g.fillStyle = "#000"; g.fillRect(0, 0, side, side);
    g.strokeStyle = "#fff"; g.lineWidth = 0.08 * side; g.lineCap = g.lineJoin = "round";
    this.strokes.forEach((stroke) => {
      g.beginPath();
      stroke.forEach(([x, y]) => g.lineTo(x * side, y * side));
      if (stroke.length === 1) g.lineTo(stroke[0][0] * side + 0.1, stroke[0][1] * side); // a dot
      g.stroke();
    });
    this.told.textContent = this.strokes.length ? "your drawing, sized and centred" : "nothing yet";
    if (!this.strokes.length) {
      g.fillStyle = "#fff"; g.font = `22px ${FONT}`; g.textAlign = "center";
      g.fillText("draw here", side / 2, side / 2);
    }
    this.give(imageOf(this.strokes), "your drawing");
  }

  give(pixels, name) {
    paint(this.seen, pixels || new Float32Array(784));
    this.changed(pixels, name);
  }
}
