// Light or dark, as the page around is. The probe, an element of ours, has the page's text colour.

// Marks the box as dark where the page writes in a light colour, whoever decided that; returns the canvases' colours.
function readTheme(probe, box) {
  const g = make("canvas", { width: 1, height: 1 }).getContext("2d"), colors = {};
  g.fillStyle = getComputedStyle(probe).color; g.fillRect(0, 0, 1, 1); // drawn, as colours have many spellings
  const [red, green, blue] = g.getImageData(0, 0, 1, 1).data, style = getComputedStyle(box);
  box.drawnWidth = box.clientWidth;
  box.classList.toggle("dark", 0.3 * red + 0.6 * green + 0.1 * blue > 128);
  ["paper", "ink", "line", "focus", "kl", "prior", "first", "second", "faint", "dots"].forEach((name) => {
    colors[name] = style.getPropertyValue(`--${name}`).trim();
  });
  return colors;
}

function watchTheme(probe, box, changed) { // tells when the colours, or the width since they were read, have changed
  ["transitionend", "transitioncancel"].forEach((name) => // JupyterLab hides us for a moment, which cancels
    probe.addEventListener(name, () => requestAnimationFrame(changed)));
  const density = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`); // another screen, or a zoom
  density.addEventListener("change", changed);
  new ResizeObserver(() => {
    if (box.clientWidth !== box.drawnWidth) changed();
  }).observe(box);
}
