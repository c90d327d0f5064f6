// Frames out of their tables: SVG from a template and what differs between the frames. See frames.py.

const SHEET = "data:image/webp;base64,";

async function inflate(text) {
  const packed = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

async function words(text) {
  return new TextDecoder().decode(await inflate(text));
}

// A table of numbers × frames, one row after the other or one frame after the other; first all low bytes, then all high
// ones. Each number is kept as what it differs from the one two rows before it.
function table(raw, frames, order) {
  const half = raw.length / 2, rows = half / frames, values = new Int32Array(half);
  for (let row = 0; row < rows; row++) {
    for (let frame = 0; frame < frames; frame++) {
      const at = row * frames + frame, i = order === "rows" ? at : frame * rows + row;
      const step = ((raw[i] | (raw[half + i] << 8)) << 16) >> 16;
      values[at] = step + (row > 1 ? values[at - 2 * frames] : 0);
    }
  }
  return values;
}

// prefix: makes the names inside the SVG differ from those of other controls. Gives a function from a column to SVG.
async function makeLayer(packed, prefix) {
  const count = packed.used.length, values = table(await inflate(packed.numbers), count, packed.order);
  const named = (await words(packed.template)).replace(/id_(\d+)_/g, `${prefix}-$1`);
  const parts = named.replace(/"#sheet"/g, `"#${prefix}-sheet"`).split(/([\x01\x02])/);
  const texts = (await words(packed.texts)).split("\n").map((row) => row.split("\t"));
  return (column) => {
    let number = 0, text = 0;
    return parts.map((part) => part === "\x01" ? values[number++ * count + column] / 10
      : part === "\x02" ? texts[column][text++] : part).join("");
  };
}

async function makeLayers(packed, prefix) { // a function from a frame to SVG
  const found = new Map();
  for (const layer of packed) {
    const at = await makeLayer(layer, prefix);
    layer.used.forEach((frame, column) => found.set(frame, () => at(column)));
  }
  return (frame) => found.get(frame)();
}

// Fills the view with a picture that stands still and a place for SVG over it; gives a function that shows a frame.
async function layersIn(view, { layers, ground, sheet, size }, prefix) {
  const svg = await makeLayers(layers, prefix), over = make("div", { class: "over" });
  const still = make("img", { src: `data:image/png;base64,${ground}`, alt: "" });
  view.append(still, over);
  if (sheet) { // drawn by reference, so that a move loads nothing
    const image = `<image id="${prefix}-sheet" href="${SHEET}${sheet}" width="${size[0]}" height="${size[1]}"/>`;
    view.append(make("div", { class: "sheet", "aria-hidden": true }));
    view.lastChild.innerHTML = `<svg width="0" height="0"><defs>${image}</defs></svg>`;
  }
  await still.decode();
  return (frame) => { over.innerHTML = svg(frame); };
}

// The same for frames that are images of a sheet.
async function tilesIn(view, { tiles, sheet, width }) {
  const image = new Image(), [, , w, h] = tiles[0];
  image.src = SHEET + sheet;
  await image.decode();
  const style = width ? `width: ${width}px; image-rendering: pixelated` : `width: ${w}px`;
  const canvas = make("canvas", { width: w, height: h, style }), g = canvas.getContext("2d");
  view.append(canvas);
  return (frame) => g.drawImage(image, ...tiles[frame], 0, 0, w, h);
}
