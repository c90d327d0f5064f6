// Drawing on a canvas: where a latent point lies in a plot, and the plot's axes, codes, labels, outlines and cursor.

const FONT = 'system-ui, "Segoe UI", Arial, sans-serif';
const PAD = { left: 40, right: 8, top: 24, bottom: 42 }; // around the plot, in CSS pixels

// A square plot of `side` pixels that shows the ranges [z₁, z₂]: one latent unit is as long up as across.
function makeFrame([across, up], side) {
  const units = Math.max(across[1] - across[0], up[1] - up[0]), zoom = side / units;
  const left = (across[0] + across[1] - units) / 2, top = (up[0] + up[1] + units) / 2;
  return {
    side, units, zoom, left, bottom: top - units,
    screen: ([x, y]) => [PAD.left + (x - left) * zoom, PAD.top + (top - y) * zoom],
    latent: ([x, y]) => [left + (x - PAD.left) / zoom, top - (y - PAD.top) / zoom],
  };
}

function axisTicks(low, units, most) { // at multiples of 1, 2 or 5 times a power of ten, at most so many
  const power = Math.pow(10, Math.floor(Math.log10(units / most))), out = [];
  const step = power * [1, 2, 5, 10].find((m) => m * power >= units / most);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let k = Math.ceil(low / step); k * step <= low + units; k++) out.push([k * step, decimal(k * step, digits)]);
  return out;
}

function drawAxes(g, frame, colors) {
  const floor = PAD.top + frame.side, ticks = (low) => axisTicks(low, frame.units, Math.max(2, frame.side / 36));
  g.fillStyle = colors.ink; g.strokeStyle = colors.line; g.lineWidth = 1; g.font = `13px ${FONT}`;
  g.strokeRect(PAD.left + 0.5, PAD.top + 0.5, frame.side - 1, frame.side - 1);
  g.textAlign = "left"; g.textBaseline = "bottom"; g.fillText("z₂ (latent units)", PAD.left, PAD.top - 5);
  g.textAlign = "center"; g.textBaseline = "top";
  g.fillText("z₁ (latent units)", PAD.left + frame.side / 2, floor + 23);
  ticks(frame.left).forEach(([t, text]) => {
    const x = frame.screen([t, 0])[0]; g.fillRect(x, floor, 1, 4); g.fillText(text, x, floor + 6);
  });
  g.textAlign = "right"; g.textBaseline = "middle";
  ticks(frame.bottom).forEach(([t, text]) => {
    const y = frame.screen([0, t])[1]; g.fillRect(PAD.left - 4, y, 4, 1); g.fillText(text, PAD.left - 7, y);
  });
}

// Codes are dots in ink. Once classes are chosen, each code of theirs is its own digit and the other dots are faint.
// chosen: Map from class to its place; the first two classes get a hue each, which here means nothing else.
function drawCodes(g, frame, { codes, labels, chosen }, colors) {
  const on = [];
  g.fillStyle = colors.ink; g.globalAlpha = chosen.size ? colors.faint : colors.dots;
  for (let i = 0; i < codes.length; i += 2) {
    if (chosen.has(labels[i / 2])) on.push(i);
    else { const [x, y] = frame.screen([codes[i], codes[i + 1]]); g.fillRect(x - 1.1, y - 1.1, 2.2, 2.2); }
  }
  g.globalAlpha = 1; g.font = `11px ${FONT}`; g.textAlign = "center"; g.textBaseline = "middle";
  on.forEach((i) => {
    g.fillStyle = hue(chosen, labels[i / 2], colors);
    g.fillText(labels[i / 2], ...frame.screen([codes[i], codes[i + 1]]));
  });
}

function hue(chosen, digit, colors) {
  return [colors.first, colors.second][chosen.get(digit)] || colors.ink;
}

// Places [x, y] moved until each two are `least` apart and all lie between `low` and `high`. Equal ones start a
// hundredth of a pixel apart, in a corner too, so that there is a direction in which to part them.
function apart(places, least, [low, high]) {
  const moved = places.map(([x, y], i) => [x + 0.01 * Math.cos(i), y + 0.01 * Math.sin(i)]);
  for (let round = 0, near = true; near && round < 300; round++) {
    near = false;
    moved.forEach((p, i) => p.forEach((x, k) => { p[k] = clamp(x, low[k] + 0.01 * i, high[k] - 0.01 * i); }));
    moved.forEach((p, i) => moved.slice(i + 1).forEach((q) => {
      const dx = q[0] - p[0], dy = q[1] - p[1], far = Math.hypot(dx, dy), push = (least + 0.5 - far) / far / 2;
      if (far >= least) return;
      near = true;
      p[0] -= push * dx; p[1] -= push * dy; q[0] += push * dx; q[1] += push * dy;
    }));
  }
  return moved;
}

// Digits at the medians of their classes; one that had to give way is tied to its median by a line.
function drawLabels(g, frame, medians, chosen, colors) {
  const size = frame.side < 220 ? 14 : 16, least = size + 2, room = least / 2, far = frame.side - room; // with its halo
  const targets = medians.map(([, ...z]) => frame.screen(z));
  const places = apart(targets, least, [[PAD.left + room, PAD.top + room], [PAD.left + far, PAD.top + far]]);
  const faint = ([digit]) => (chosen.size && !chosen.has(digit) ? 0.35 : 1);
  g.lineWidth = 1.2; g.strokeStyle = g.fillStyle = colors.ink; g.lineJoin = "round";
  medians.forEach((median, i) => {
    if (Math.hypot(places[i][0] - targets[i][0], places[i][1] - targets[i][1]) < room) return;
    g.globalAlpha = faint(median);
    g.beginPath(); g.moveTo(...places[i]); g.lineTo(...targets[i]); g.stroke();
    g.beginPath(); g.arc(...targets[i], 2.5, 0, 7); g.fill();
  });
  g.font = `bold ${size}px ${FONT}`; g.textAlign = "center"; g.textBaseline = "middle"; g.lineWidth = 4;
  medians.forEach((median, i) => {
    g.globalAlpha = faint(median); g.strokeStyle = colors.paper; g.fillStyle = hue(chosen, median[0], colors);
    g.strokeText(median[0], ...places[i]); g.fillText(median[0], ...places[i]);
  });
  g.globalAlpha = 1;
}

function drawLine(g, points, color, { dash = [], width = 2.2, closed = true } = {}) { // points on the screen
  g.beginPath(); points.forEach((p) => g.lineTo(...p)); if (closed) g.closePath();
  g.strokeStyle = color; g.lineWidth = width; g.lineCap = closed ? "butt" : "round";
  g.setLineDash(dash); g.stroke(); g.setLineDash([]);
}

function drawRing(g, [x, y], radius, cross, colors) { // with cross: a cursor
  [[colors.paper, 5], [colors.ink, 2.4]].forEach(([color, width]) => {
    g.strokeStyle = color; g.lineWidth = width; g.beginPath(); g.arc(x, y, radius, 0, 7);
    if (cross) { g.moveTo(x - 15, y); g.lineTo(x + 15, y); g.moveTo(x, y - 15); g.lineTo(x, y + 15); }
    g.stroke();
  });
}

function paint(canvas, pixels) { // an image of 28 × 28 greys in [0, 1]
  const image = new ImageData(28, 28);
  image.data.fill(255);
  pixels.forEach((grey, i) => image.data.fill(Math.round(255 * grey), 4 * i, 4 * i + 3));
  canvas.getContext("2d").putImageData(image, 0, 0);
}
