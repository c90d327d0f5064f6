// More to draw in a plane: the prior's circle, a posterior's ellipse, dots and crosses.

function drawCircle(g, frame, radius, colors) { // of so many standard deviations of the prior
  const [x, y] = frame.screen([0, 0]);
  g.strokeStyle = colors.prior; g.lineWidth = 2; g.setLineDash([5, 4]);
  g.beginPath(); g.arc(x, y, radius * frame.zoom, 0, 7); g.stroke(); g.setLineDash([]);
}

// Two σ around μ. One too small to be seen is a dot in a ring, which says where to look.
function drawEllipse(g, frame, mu, sigma, colors) {
  const low = [PAD.left, PAD.top], place = frame.screen(Array.from(mu));
  const [x, y] = place.map((p, k) => clamp(p, low[k], low[k] + frame.side)); // a far one at the edge
  const [a, b] = Array.from(sigma, (s) => 2 * s * frame.zoom);
  if (Math.max(a, b) < 2 || Math.hypot(x - place[0], y - place[1]) > 1) {
    drawDot(g, [x, y], 3, colors.focus, colors.paper); drawRing(g, [x, y], 12, false, colors);
    return;
  }
  g.fillStyle = g.strokeStyle = colors.focus; g.lineWidth = 2.4;
  g.beginPath(); g.ellipse(x, y, Math.max(a, 2), Math.max(b, 2), 0, 0, 7);
  g.globalAlpha = 0.25; g.fill(); g.globalAlpha = 1; g.stroke();
}

function drawDot(g, [x, y], radius, color, edge) {
  g.fillStyle = color; g.strokeStyle = edge; g.lineWidth = 1;
  g.beginPath(); g.arc(x, y, radius, 0, 7); g.fill(); g.stroke();
}

function drawMark(g, [x, y], size, color, edge) { // a cross
  [[edge, 5], [color, 2.6]].forEach(([stroke, width]) => {
    g.strokeStyle = stroke; g.lineWidth = width; g.beginPath();
    g.moveTo(x - size, y - size); g.lineTo(x + size, y + size);
    g.moveTo(x - size, y + size); g.lineTo(x + size, y - size); g.stroke();
  });
}
