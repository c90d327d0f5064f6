// Parts of a page.

function make(tag, attributes, ...children) { // text goes in as text nodes, so markup in a title stays text
  const node = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  node.append(...children);
  return node;
}

function makeButton(text, act) {
  const node = make("button", { type: "button", class: "walk" }, text);
  node.addEventListener("click", act);
  return node;
}

// A sentence for screen readers: { node, say }. It is spoken once nothing has changed for a while.
function makeStatus() {
  const node = make("div", { class: "live", role: "status", "aria-live": "polite" });
  let later = 0;
  return { node, say: (text) => { clearTimeout(later); later = setTimeout(() => { node.textContent = text; }, 400); } };
}

// Tell the page where a control stands when it rests, as { argument: value }. The site puts it into the address.
function tellRest(host) {
  host.dispatchEvent(new CustomEvent("vae-rest", { bubbles: true, detail: host.vae.state() }));
}
