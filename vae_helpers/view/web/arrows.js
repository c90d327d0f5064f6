// The arrows of the graph: short ones from box to box, and three long ones in lanes around all boxes.

const LANES = { "x recon": -1, "mu kl": 1, "logvar kl": 1 }; // before all boxes, or behind them
const GAP = 11; // pixels between a box and a lane

// a, b: boxes { x, y, w, h }; board: { w, h }, the room of all; across: do the steps go from left to right, or down?
function arrowOf(a, b, lane, board, across) {
  const flip = ({ x, y, w, h }) => ({ x: y, y: x, w: h, h: w }); // so that all is thought of as going across
  const points = across ? route(a, b, lane, board.h, true)
    : route(flip(a), flip(b), lane, board.w, false).map(([x, y]) => [y, x]);
  const [[x, y], [u, v]] = points.slice(-2), far = Math.hypot(u - x, v - y) || 1;
  const dx = (u - x) / far, dy = (v - y) / far;
  const head = [[-7 * dx - 4 * dy, -7 * dy + 4 * dx], [-7 * dx + 4 * dy, -7 * dy - 4 * dx]];
  const line = (places) => `M${places.map((place) => place.map((p) => p.toFixed(1)).join(",")).join("L")}`;
  return [points, ...head.map(([p, q]) => [[u + p, v + q], [u, v]])].map(line).join("");
}

function route(a, b, lane, high, round) { // round: around the corner, in place of aslant
  const middle = (box) => box.x + box.w / 2;
  if (lane) { // out of the boxes' way, along the lane, and back
    const edge = lane < 0 ? GAP - 6 : high - GAP + 6, enter = [middle(b), lane < 0 ? b.y - 2 : b.y + b.h + 2];
    const free = lane < 0 || a.y + a.h > high / 2; // nothing lies between the box and the lane
    const leave = free ? [[middle(a), lane < 0 ? a.y : a.y + a.h], [middle(a), edge]]
      : [[a.x + a.w, a.y + 0.75 * a.h], [a.x + a.w + GAP, a.y + 0.75 * a.h], [a.x + a.w + GAP, edge]];
    return [...leave, [enter[0], edge], enter];
  }
  if (b.x - (a.x + a.w) > 4) { // sideways, level where the boxes overlap
    const low = Math.max(a.y, b.y), top = Math.min(a.y + a.h, b.y + b.h);
    const from = [a.x + a.w, top > low ? (low + top) / 2 : a.y + a.h / 2], corner = b.x + 0.3 * b.w;
    if (round && top <= low) return [from, [corner, from[1]], [corner, a.y < b.y ? b.y - 2 : b.y + b.h + 2]];
    return [from, [b.x - 2, clamp(from[1], b.y + 8, b.y + b.h - 8)]];
  }
  return a.y < b.y ? [[middle(a), a.y + a.h], [middle(a), b.y - 2]] : [[middle(a), a.y], [middle(a), b.y + b.h + 2]];
}
