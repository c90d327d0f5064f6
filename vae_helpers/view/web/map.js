// A square plot of latent space on a canvas: what stands still is drawn once, and what moves is drawn over it.

class LatentMap {
  constructor(canvas, drawStill, drawMoving) { // both get (g, frame, colors)
    Object.assign(this, { canvas, drawStill, drawMoving, layer: make("canvas", {}), frame: null });
  }

  resize(ranges, colors) { // ranges: [z₁, z₂], each from low to high
    const { canvas } = this, side = canvas.clientWidth - PAD.left - PAD.right;
    if (side <= 0) return; // hidden, or not in the page yet
    Object.assign(this, { frame: makeFrame(ranges, side), colors, density: window.devicePixelRatio || 1 });
    const height = side + PAD.top + PAD.bottom;
    canvas.style.height = `${height}px`;
    canvas.width = this.layer.width = canvas.clientWidth * this.density;
    canvas.height = this.layer.height = height * this.density;
    this.redraw();
  }

  redraw() { // everything
    if (!this.frame) return;
    const g = this.layer.getContext("2d"), { frame, colors, density } = this;
    g.save(); // each drawing starts alike
    g.setTransform(density, 0, 0, density, 0, 0);
    g.fillStyle = colors.paper; g.fillRect(0, 0, this.layer.width, this.layer.height);
    drawAxes(g, frame, colors);
    this.drawStill(g, frame, colors);
    g.restore();
    this.draw();
  }

  draw() { // what stands still, and over it what moves
    if (!this.frame) return;
    const g = this.canvas.getContext("2d"), { density } = this;
    g.setTransform(1, 0, 0, 1, 0, 0); g.drawImage(this.layer, 0, 0);
    g.setTransform(density, 0, 0, density, 0, 0);
    this.drawMoving(g, this.frame, this.colors);
  }
}

function clipped(g, frame, draw) { // far codes lie outside
  g.save(); g.beginPath(); g.rect(PAD.left, PAD.top, frame.side, frame.side); g.clip();
  draw();
  g.restore();
}
