// Parts of a page.

function make(tag, attributes, ...children) { // text goes in as text nodes, so markup in a title stays text
  const node = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  node.append(...children);
  return node;
}

// Tell the page where a control stands when it rests, as { argument: value }. The site puts it into the address.
function tellRest(host) {
  host.dispatchEvent(new CustomEvent("vae-rest", { bubbles: true, detail: host.vae.state() }));
}
