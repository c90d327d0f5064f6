// How a block begins: it waits for its place in the page, fills it, and hides the still picture that stood for it.

// The still is an output of its own, before the block. Climbs from the block to the cell, and no further.
function hideStill(host) {
  const cell = ".jp-OutputArea, .output, .outputs, .jp-Cell, .cell, main, body";
  for (let part = host; part && !part.matches(cell); part = part.parentElement) {
    const before = part.previousElementSibling; // a prompt may stand between
    const has = (kind) => before && (before.matches(kind) || before.querySelector(kind));
    if (has("[data-vae-frames], [data-vae-explorer], [data-vae-playground]")) return; // another block, not our still
    if (has("img")) {
      before.style.display = "none";
      return;
    }
  }
}

// A front-end may run the script before the block is in the page, run it twice, or show the block twice.
function begin(place, data, tries = 100) {
  const hosts = document.querySelectorAll(place);
  hosts.forEach((host) => {
    if (host.vae) return;
    host.vae = {};
    Promise.resolve(start(host, data)).then(() => hideStill(host), (error) => console.error(error)); // the still stays
  });
  if (!hosts.length && tries) setTimeout(() => begin(place, data, tries - 1), 100);
}
