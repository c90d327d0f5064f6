// What a drawing becomes: 28 × 28 greys, sized and centred as the digits of MNIST are. Knows no page.

const PEN = 2.6, WITHIN = 20, WIDE = 28; // pixels: the line, the box that a digit fills, and the image

// strokes: lists of places [x, y], each in [0, 1]. Returns 784 greys, or null where nothing is drawn.
function imageOf(strokes) {
  const places = strokes.flat(), reach = [0, 1].map((k) => places.map((place) => place[k]));
  if (!places.length) return null;
  const low = reach.map((all) => Math.min(...all)), high = reach.map((all) => Math.max(...all));
  const long = Math.max(high[0] - low[0], high[1] - low[1]);
  const zoom = long > 0.05 ? (WITHIN - PEN) / long : 1; // a dot stays one
  const put = (middle, move) => strokes.map((stroke) => stroke.map((place) =>
    place.map((p, k) => WIDE / 2 + (p - middle[k]) * zoom - move[k])));
  const middle = low.map((p, k) => (p + high[k]) / 2), first = greys(put(middle, [0, 0]));
  return greys(put(middle, centreOf(first).map((p) => p - WIDE / 2))); // the centre of mass into the middle
}

// Ink by distance from the line: full within it, none a pixel farther, and a ramp between.
function greys(strokes) {
  const out = new Float32Array(WIDE * WIDE);
  strokes.forEach((stroke) => stroke.forEach((to, i) => {
    const from = stroke[Math.max(i - 1, 0)], reach = PEN / 2 + 1;
    const first = [0, 1].map((k) => Math.max(0, Math.floor(Math.min(from[k], to[k]) - reach)));
    const last = [0, 1].map((k) => Math.min(WIDE - 1, Math.ceil(Math.max(from[k], to[k]) + reach)));
    for (let row = first[1]; row <= last[1]; row++) {
      for (let column = first[0]; column <= last[0]; column++) {
        const far = distance([column + 0.5, row + 0.5], from, to), at = WIDE * row + column;
        out[at] = Math.max(out[at], clamp(PEN / 2 + 0.5 - far, 0, 1));
      }
    }
  }));
  return out;
}

function distance([x, y], [ax, ay], [bx, by]) { // of a place from the line between two others
  const long = (bx - ax) * (bx - ax) + (by - ay) * (by - ay);
  const t = long ? clamp(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / long, 0, 1) : 0;
  return Math.hypot(ax + t * (bx - ax) - x, ay + t * (by - ay) - y);
}

function centreOf(image) { // of mass, in pixels from the upper left corner
  let sum = 0, across = 0, down = 0;
  image.forEach((grey, i) => {
    sum += grey; across += grey * (i % WIDE + 0.5); down += grey * (Math.floor(i / WIDE) + 0.5);
  });
  return [across / sum, down / sum];
}
