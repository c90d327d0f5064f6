// The exploration without a kernel: one cursor, several latent planes, decoded by a forward pass in this script.
// explorer.py puts this file into a script element of the block and calls startExplorer(id, data). ES2017, no network.

function startExplorer(id, data) {
  "use strict";
  const EDGE = 0.025, STEP = 0.01, BIG_STEP = 0.05, PAD = { left: 40, right: 8, top: 24, bottom: 42 };
  const BLUE = data.colors.recon, GREEN = data.colors.prior, FONT = 'system-ui, "Segoe UI", Arial, sans-serif';
  const STYLE = ` * { box-sizing: border-box; } canvas { display: block; width: 100%; }
    .box { container-type: inline-size; max-width: 1240px; padding: 14px 16px; border: 1px solid #bbb;
      background: #fff; color: #111; color-scheme: light; font: 15px/1.4 ${FONT}; text-align: left; }
    .planes { display: grid; gap: 18px; max-width: 740px; } .many { max-width: none; } .picture { display: contents; }
    .plane { display: grid; gap: 6px 12px; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); align-content: start; }
    .head, .readout { grid-column: 1 / -1; overflow-wrap: anywhere; } .title { font-weight: 700; font-size: 18px; }
    .map { touch-action: none; cursor: crosshair; }
    .image { aspect-ratio: 1; margin-top: ${PAD.top}px; image-rendering: pixelated; background: #000; }
    .map:focus, :focus-visible { outline: 3px solid ${BLUE}; outline-offset: 2px; } .readout div { min-height: 1.4em; }
    .controls, .key { display: grid; gap: 4px 24px; } .key { font-size: 14px; padding-top: 6px; }
    .controls { position: sticky; bottom: 0; margin-top: 8px; padding: 4px 0; background: #fff; }
    .quantile { display: grid; grid-template-columns: 6.6em minmax(0, 1fr) 4em; gap: 8px; align-items: center; }
    input { accent-color: ${BLUE}; margin: 0; min-width: 0; } .quantile input { height: 28px; }
    .key > * { display: grid; grid-template-columns: 20px 1fr; gap: 8px; } .key input { margin: 3px; }
    .mark { width: 18px; height: 13px; margin-top: 3px; border: 2px solid ${GREEN}; } .dashed { border-style: dashed; }
    .ring { width: 14px; height: 14px; margin-left: 2px; border: 2px solid #000; border-radius: 50%; }
    .percent { text-align: right; } .readout, .percent { font-variant-numeric: tabular-nums; }
    .live { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    @container (min-width: 560px) { .controls, .key { grid-template-columns: 1fr 1fr; } .controls { position: static; }
      .many { grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 24px; }
      .many .plane { grid-template-columns: minmax(0, 1fr); } .many .image { margin: 0; } .many .readout { grid-column: auto; }
      .many .picture { display: grid; grid-template-columns: 140px minmax(0, 1fr); gap: 12px; align-items: end; } }
    @container (min-width: 800px) { .planes .plane { grid-template-columns: minmax(0, 5fr) minmax(0, 2.4fr); }
      .planes .picture { display: block; } .planes .image { margin: ${PAD.top}px 0 8px; } }`;

  // Numbers from base64, read byte by byte: their order is fixed, whatever the reader's machine.
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const pairs = (b) => Int16Array.from({ length: b.length / 2 }, (_, i) => b[2 * i] | (b[2 * i + 1] << 8));
  function halves(text) { // explorer.py refuses infinities and NaN, so exponent 31 never comes
    const h = pairs(bytes(text)), out = new Float32Array(h.length);
    for (let i = 0; i < h.length; i++) {
      const exponent = (h[i] >> 10) & 31, fraction = h[i] & 1023;
      const size = exponent ? (1 + fraction / 1024) * Math.pow(2, exponent - 15) : fraction * Math.pow(2, -24);
      out[i] = h[i] < 0 ? -size : size;
    }
    return out;
  }

  // Linear layers with SiLU between them and a sigmoid at the end; weights lie as in torch: (out, in), then the bias.
  function network(sizes, numbers) {
    let at = 0;
    const take = (n) => numbers.subarray(at, (at += n));
    const layers = sizes.slice(1).map((rows, k) => ({ weight: take(rows * sizes[k]), bias: take(rows) }));
    return (z) => layers.reduce((x, layer, k) => {
      const n = x.length, y = new Float32Array(layer.bias.length), last = k === layers.length - 1;
      for (let row = 0, w = 0; row < y.length; row++) {
        let sum = layer.bias[row];
        for (let i = 0; i < n; i++) sum += layer.weight[w++] * x[i];
        y[row] = (last ? 1 : sum) / (1 + Math.exp(-sum));
      }
      return y;
    }, z);
  }

  // Φ by Marsaglia's series (2004), exact to rounding for the |x| < 2 used here; Φ⁻¹ by Newton's method from 0, which
  // cannot overshoot, because Φ is concave right of 0 and convex left of it.
  const bell = (x) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  function share(x) {
    let term = x, sum = x;
    for (let k = 3; k < 61; k += 2) sum += (term *= x * x / k);
    return 0.5 + bell(x) * sum;
  }
  function probit(p) {
    let x = 0;
    for (let i = 0; i < 12; i++) x += (p - share(x)) / bell(x);
    return x;
  }
  const REACH = probit(1 - EDGE), clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  const number = (x, digits) => x.toFixed(digits).replace("-", "−");
  const percent = (u) => `${number(100 * u, 1)} %`;
  function make(tag, attributes, ...children) { // text goes in as text nodes, so markup in a title stays text
    const node = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    node.append(...children); return node;
  }
  function axisTicks(low, units, most) { // at multiples of 1, 2 or 5 times a power of ten, at most so many
    const power = Math.pow(10, Math.floor(Math.log10(units / most))), out = [];
    const step = power * [1, 2, 5, 10].find((m) => m * power >= units / most);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    for (let k = Math.ceil(low / step); k * step <= low + units; k++) out.push([k * step, number(k * step, digits)]);
    return out;
  }

  // One latent plane: geometry, scatter, decoded image and the line of text under it.
  function makePlane(panel) {
    const decode = network(panel.sizes, halves(panel.weights)), [[a, b], [c, d]] = panel.scale;
    const codes = Float64Array.from(pairs(bytes(panel.codes)), (q) => q * panel.unit), labels = bytes(panel.labels);
    const at = (e) => [panel.mean[0] + a * e[0] + b * e[1], panel.mean[1] + c * e[0] + d * e[1]];
    const square = [[-REACH, -REACH], [REACH, -REACH], [REACH, REACH], [-REACH, REACH]], region = square.map(at);
    const pixels = new ImageData(new Uint8ClampedArray(4 * 784).fill(255), 28), still = make("canvas", {});
    let view, side = 0, density = 1; // side: of the square plot, in CSS pixels; density: device pixels in one of them

    const map = make("canvas", { class: "map", tabindex: 0, role: "application", "aria-label":
      `Latent plane ${panel.title}: drag, or press arrow keys, to move the cursor; Home for the middle` });
    const image = make("canvas", { class: "image", width: 28, height: 28, role: "img",
      "aria-label": `Decoded image, ${panel.title}` });
    const place = make("div", {}), nearest = make("div", {}), title = make("div", { class: "title" }, panel.title);
    const root = make("div", { class: "plane", role: "group", "aria-label": panel.title },
      make("div", { class: "head" }, title, panel.note), map,
      make("div", { class: "picture" }, image, make("div", { class: "readout" }, place, nearest)));
    const screen = ([x, y]) => [PAD.left + (x - view.left) * view.zoom, PAD.top + (view.top - y) * view.zoom];
    const latent = (x, y) => [view.left + (x - PAD.left) / view.zoom, view.top - (y - PAD.top) / view.zoom];
    function outline(g, corners, dash) {
      g.beginPath(); corners.forEach((p) => g.lineTo(...screen(p))); g.closePath(); g.strokeStyle = GREEN;
      g.lineWidth = 2.2; g.setLineDash(dash); g.stroke(); g.setLineDash([]);
    }
    function drawAxes(g) {
      const floor = PAD.top + side, ticks = (low) => axisTicks(low, view.units, Math.max(2, side / 36));
      g.fillStyle = "#222"; g.strokeStyle = "#888"; g.font = `13px ${FONT}`;
      g.strokeRect(PAD.left + 0.5, PAD.top + 0.5, side - 1, side - 1);
      g.textBaseline = "bottom"; g.fillText("z₂ (latent units)", PAD.left, PAD.top - 5);
      g.textAlign = "center"; g.textBaseline = "top"; g.fillText("z₁ (latent units)", PAD.left + side / 2, floor + 23);
      ticks(view.left).forEach(([t, text]) => {
        const x = screen([t, 0])[0]; g.fillRect(x, floor, 1, 4); g.fillText(text, x, floor + 6);
      });
      g.textAlign = "right"; g.textBaseline = "middle";
      ticks(view.top - view.units).forEach(([t, text]) => {
        const y = screen([0, t])[1]; g.fillRect(PAD.left - 4, y, 4, 1); g.fillText(text, PAD.left - 7, y);
      });
    }
    function drawStill() { // everything that stays while the cursor moves, once per size
      const g = still.getContext("2d");
      still.width = map.width; still.height = map.height;
      g.fillStyle = "#fff"; g.fillRect(0, 0, still.width, still.height); g.scale(density, density);
      drawAxes(g); g.save(); g.globalAlpha = 0.6;
      g.beginPath(); g.rect(PAD.left, PAD.top, side, side); g.clip(); // a few far codes lie outside the view
      for (let i = 0; i < codes.length; i += 2) {
        const [x, y] = screen([codes[i], codes[i + 1]]);
        g.fillStyle = labels.length ? data.digits[labels[i / 2]] : "#555"; g.fillRect(x - 1.1, y - 1.1, 2.2, 2.2);
      }
      g.restore();
      outline(g, region, []);
      g.font = `bold 16px ${FONT}`; g.textAlign = "center";
      g.strokeStyle = "#fff"; g.fillStyle = "#000"; g.lineWidth = 4; g.lineJoin = "round";
      const across = (panel.view[0][1] - panel.view[0][0]) * view.zoom; // a plane too small for its digits has none
      if (across > 90) panel.medians.forEach(([digit, ...p]) => {
        g.strokeText(digit, ...screen(p)); g.fillText(digit, ...screen(p));
      });
      outline(g, square, [5, 4]);
    }
    function drawMap(z) {
      const g = map.getContext("2d"), [x, y] = screen(z);
      g.setTransform(1, 0, 0, 1, 0, 0); g.drawImage(still, 0, 0);
      g.setTransform(density, 0, 0, density, 0, 0);
      [["#fff", 5], ["#000", 2.4]].forEach(([color, width]) => {
        g.strokeStyle = color; g.lineWidth = width; g.beginPath(); g.arc(x, y, 9, 0, 7);
        g.moveTo(x - 15, y); g.lineTo(x + 15, y); g.moveTo(x, y - 15); g.lineTo(x, y + 15); g.stroke();
      });
    }
    return {
      root, map,
      resize(same) {
        const [x, y] = same ? data.view : panel.view, room = map.clientWidth - PAD.left - PAD.right;
        if (room <= 0) return; // hidden, or not in the page yet
        const units = Math.max(x[1] - x[0], y[1] - y[0]); // one latent unit is as long up as across
        view = { left: (x[0] + x[1] - units) / 2, top: (y[0] + y[1] + units) / 2, units, zoom: room / units };
        side = room; density = window.devicePixelRatio || 1;
        map.style.height = `${side + PAD.top + PAD.bottom}px`;
        map.width = map.clientWidth * density; map.height = (side + PAD.top + PAD.bottom) * density;
        drawStill();
      },
      draw(u) { // returns what a screen reader says
        const z = at(u.map(probit));
        decode(z).forEach((grey, i) => pixels.data.fill(Math.round(255 * grey), 4 * i, 4 * i + 3));
        image.getContext("2d").putImageData(pixels, 0, 0);
        if (side) drawMap(z);
        const away = panel.medians.map(([digit, x, y]) => [Math.hypot(x - z[0], y - z[1]), digit]);
        const [far, digit] = away.sort((p, q) => p[0] - q[0])[0] || [];
        place.textContent = `z = (${number(z[0], 2)}, ${number(z[1], 2)})`;
        nearest.textContent = away.length ? `nearest class median: ${digit}, ${number(far, 1)} away` : "";
        return `${panel.title}: ${place.textContent}${away.length ? ", " : ""}${nearest.textContent}.`;
      },
      quantiles(px, py) { // from a place on the screen back to u, kept inside the cursor's range
        const z = latent(px, py), x = z[0] - panel.mean[0], y = z[1] - panel.mean[1], det = a * d - b * c;
        return [(d * x - b * y) / det, (a * y - c * x) / det].map((e) => share(clamp(e, -REACH, REACH)));
      },
    };
  }

  function begin(host) {
    const planes = data.panels.map(makePlane), same = make("input", { type: "checkbox" });
    const live = make("div", { class: "live", role: "status", "aria-live": "polite" });
    const names = ["z1 quantile", "z2 quantile"], shown = names.map(() => make("span", { class: "percent" }));
    const sliders = names.map((name) => make("input",
      { type: "range", min: EDGE, max: 1 - EDGE, step: 0.005, "aria-label": name }));
    let u = data.start, later, width;
    function move(next) {
      u = next.map((x) => clamp(x, EDGE, 1 - EDGE));
      u.forEach((x, k) => {
        sliders[k].value = x; shown[k].textContent = percent(x); sliders[k].setAttribute("aria-valuetext", percent(x));
      });
      const said = [`Cursor at quantiles ${u.map(percent).join(" and ")}.`, ...planes.map((plane) => plane.draw(u))];
      clearTimeout(later); // spoken when the cursor rests, not at every step of a drag
      later = setTimeout(() => { live.textContent = said.join(" "); }, 300);
    }
    function layout() { planes.forEach((plane) => plane.resize(same.checked)); move(u); }
    function keys(event, axis) { // axis 0 or 1: a slider, which moves one coordinate; none: a plane, which moves both
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [-1, 1], ArrowUp: [1, 1] }[event.key];
      if (event.ctrlKey || event.altKey || event.metaKey || (!way && event.key !== "Home")) return;
      const step = event.shiftKey ? BIG_STEP : STEP, along = axis === undefined && way ? way[1] : axis;
      move(way ? u.map((x, k) => (k === along ? x + way[0] * step : x)) : [0.5, 0.5]);
      event.preventDefault(); event.stopPropagation(); // a notebook would take arrow keys for itself
    }
    planes.forEach(({ map, quantiles }) => {
      const drag = (event) => move(quantiles(event.offsetX, event.offsetY)); // from the corner of the canvas
      map.addEventListener("pointerdown", (event) => {
        map.setPointerCapture(event.pointerId); map.focus({ preventScroll: true }); drag(event);
      });
      map.addEventListener("pointermove", (event) => map.hasPointerCapture(event.pointerId) && drag(event));
      map.addEventListener("keydown", (event) => keys(event));
    });
    sliders.forEach((slider, k) => { // the range inputs also do what they do anywhere: Page Up, End, a finger, a mouse
      slider.addEventListener("input", () => move(u.map((x, i) => (i === k ? Number(slider.value) : x))));
      slider.addEventListener("keydown", (event) => keys(event, k));
    });
    same.addEventListener("change", layout);
    const mark = (kind, text) => make("div", {}, make("div", { class: `mark ${kind}` }), text);
    const box = make("div", { class: "box" }, make("style", {}, STYLE),
      make("div", { class: planes.length > 1 ? "planes many" : "planes" }, ...planes.map((plane) => plane.root)),
      make("div", { class: "controls" }, ...names.map((name, k) =>
        make("label", { class: "quantile" }, name, sliders[k], shown[k]))),
      make("div", { class: "key" }, mark("ring", "cursor: drag it, or use arrow keys (Shift: faster, Home: middle)"),
        mark("", "where the cursor can go: middle 95 % per axis of the fitted Gaussian"),
        planes.length > 1 ? make("label", {}, same, "same scale on all planes") : "",
        mark("dashed", "the same region of the prior N(0, I)")),
      live);
    host.attachShadow({ mode: "open" }).append(box); // a shadow root: the page's styles stay out, ours stay in
    host.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab: arrow keys in here are not its shortcuts
    host.explorer = { move, state: () => u.slice() };
    new ResizeObserver(() => { if (box.clientWidth !== width) { width = box.clientWidth; layout(); } }).observe(box);
    layout();
  }

  // A front-end may run the script before the block is in the page, run it twice, or show the block twice.
  function find(tries) {
    const hosts = document.querySelectorAll(`[data-vae-explorer="${id}"]`);
    hosts.forEach((host) => { if (!host.shadowRoot) begin(host); });
    if (!hosts.length && tries) setTimeout(() => find(tries - 1), 100);
  }
  find(100);
}
