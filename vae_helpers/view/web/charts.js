// Small charts with lines and marks on a canvas.

const EDGE_OF = { left: 44, right: 12, top: 26, bottom: 40 }; // around a chart, in CSS pixels

// lines: [{ points, color, dash, width, text, dot }] in data units, text beside the last point, dot: one at each point;
// marks: [{ x, text }], vertical lines, the first one named on its right, others on their left.
function drawChart(canvas, { title, across, name, up, lines, marks = [] }, colors) {
  const wide = canvas.clientWidth, high = 210, density = window.devicePixelRatio || 1, g = canvas.getContext("2d");
  if (!wide) return;
  canvas.style.height = `${high}px`; canvas.width = wide * density; canvas.height = high * density;
  g.scale(density, density);
  g.fillStyle = colors.paper; g.fillRect(0, 0, wide, high);
  const { left, right, top, bottom } = EDGE_OF, w = wide - left - right, h = high - top - bottom;
  const screen = ([x, y]) =>
    [left + (x - across[0]) / (across[1] - across[0]) * w, top + (up[1] - y) / (up[1] - up[0]) * h];
  g.strokeStyle = colors.line; g.lineWidth = 1; g.strokeRect(left + 0.5, top + 0.5, w - 1, h - 1);
  g.fillStyle = colors.ink; g.font = `bold 13px ${FONT}`; g.textBaseline = "bottom"; g.fillText(title, left, top - 6);
  g.font = `13px ${FONT}`; g.textAlign = "center"; g.textBaseline = "top";
  axisTicks(across[0], across[1] - across[0], Math.max(2, w / 48)).forEach(([x, text]) => {
    g.fillText(text, screen([x, 0])[0], top + h + 4);
  });
  g.fillText(name, left + w / 2, top + h + 20);
  g.textAlign = "right"; g.textBaseline = "middle";
  axisTicks(up[0], up[1] - up[0], 5).forEach(([y, text]) => g.fillText(text, left - 5, screen([across[0], y])[1]));
  marks.forEach(({ x, text }, i) => {
    const at = screen([x, up[1]])[0];
    drawLine(g, [[at, top], [at, top + h]], colors.ink, { dash: [2, 4], width: 1.6, closed: false });
    g.textAlign = i ? "right" : "left"; g.fillStyle = colors.ink; g.fillText(text, at + (i ? -5 : 5), top + 10);
  });
  g.save(); g.beginPath(); g.rect(left, top, w, h); g.clip();
  lines.forEach(({ points, color, dash, width, dot }) => {
    const places = points.map(screen);
    if (places.length > 1 && width !== 0) drawLine(g, places, color, { dash, width, closed: false });
    if (dot) places.forEach((place) => drawDot(g, place, dot, color, colors.paper));
  });
  g.restore();
  const named = lines.filter(({ text, points }) => text && points.length);
  nameLines(g, named, screen, [top + 8, top + h - 8], left + w, colors);
}

function nameLines(g, lines, screen, [low, high], end, colors) { // at their last points, moved apart
  const places = lines.map(({ points }) => screen(points[points.length - 1]));
  const order = places.map((_, i) => i).sort((i, j) => places[i][1] - places[j][1]); // the uppermost first
  order.forEach((i, k) => { // that one is named above its line, the others beneath theirs where there is room
    const beneath = k && places[i][1] + 12 <= high;
    places[i][1] = clamp(places[i][1] + (beneath ? 12 : -10), k ? places[order[k - 1]][1] + 16 : low, 1e9);
  });
  order.reverse().forEach((i, k) => { // and none below the chart
    places[i][1] = Math.min(places[i][1], k ? places[order[k - 1]][1] - 16 : high);
  });
  g.font = `bold 13px ${FONT}`; g.textBaseline = "middle"; g.textAlign = "left";
  g.lineWidth = 4; g.lineJoin = "round"; g.strokeStyle = colors.paper;
  lines.forEach(({ text, color }, i) => {
    const room = g.measureText(text).width + 6, x = Math.min(places[i][0] + 6, end - room);
    g.fillStyle = color; g.strokeText(text, x, places[i][1]); g.fillText(text, x, places[i][1]);
  });
}
