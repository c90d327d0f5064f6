// Theme, menu, search box, links that carry the state of a control. Loaded in the head, so that a page starts in its
// theme; everything else waits until the page is there.
(function () {
  "use strict";
  const root = document.documentElement, find = (id) => document.getElementById(id);
  const store = { // a page from a file may have no storage
    get: () => { try { return localStorage.getItem("vae-theme"); } catch (error) { return null; } },
    set: (name) => { try { localStorage.setItem("vae-theme", name); } catch (error) { /* asked again next time */ } },
  };
  root.dataset.theme = store.get() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  function dressTheme() {
    const button = find("site-theme"), show = () => button.setAttribute("aria-pressed", root.dataset.theme === "dark");
    show();
    button.addEventListener("click", () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      store.set(root.dataset.theme);
      show();
    });
  }

  // Search: the index comes with the first letter.
  function dressSearch() {
    const box = find("site-search"), results = find("site-results");
    let loading = false;
    const load = () => {
      if (loading) return;
      loading = true;
      for (const name of ["search.js", "index.js"]) {
        const script = document.createElement("script");
        script.src = name; script.async = false; // in this order
        document.head.append(script);
      }
    };
    const show = () => { load(); if (window.searchAll) window.searchAll(box.value, results, find("site-found")); };
    window.showSearch = show;
    box.addEventListener("focus", load);
    box.addEventListener("input", show);
    box.form.addEventListener("submit", (event) => { event.preventDefault(); const first = results.querySelector("a"); if (first) first.click(); });
    const close = () => { box.value = ""; results.hidden = true; };
    const step = (event) => { // Escape closes; arrow keys go through the results, upwards back into the box
      if (event.key === "Escape") { close(); box.focus(); }
      const way = { ArrowDown: 1, ArrowUp: -1 }[event.key], stops = [box, ...results.querySelectorAll("a")];
      const next = way && stops[stops.indexOf(event.target) + way];
      if (next) { next.focus(); event.preventDefault(); }
    };
    box.addEventListener("keydown", step);
    results.addEventListener("keydown", step);
    results.addEventListener("click", (event) => { if (event.target.closest("a")) close(); });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || /^(input|textarea)$/i.test(event.target.tagName)) return;
      box.focus(); event.preventDefault();
    });
  }

  // Addresses: #cell-id, or #cell-id?argument=value&… for a control as it stands.
  const HOSTS = "[data-vae-frames], [data-vae-explorer], [data-vae-playground]";
  const hostOf = (place) => place && place.querySelector(HOSTS);
  function split(hash) {
    const [, id, state] = hash.match(/^#?(.*?)(?:\?([^?]*=.*))?$/); // a heading may end in a question mark
    const plain = () => { try { return decodeURIComponent(id); } catch (error) { return id; } }; // a % of its own
    return [plain(), state === undefined ? null : Object.fromEntries(new URLSearchParams(state))];
  }
  function addressOf(host) {
    return `#${host.closest("section[id]").id}?${new URLSearchParams(host.vae.state())}`;
  }

  function follow(hash) {
    const [id, state] = split(hash), place = find(id);
    if (!place || !state) return;
    const host = hostOf(place);
    place.querySelectorAll("details").forEach((part) => { if (part.contains(host)) part.open = true; });
    place.scrollIntoView({ block: "start" });
    if (host) {
      whenAlive(host, () => {
        host.vae.take(state);
        host.shadowRoot.querySelector("input, [tabindex='0']").focus({ preventScroll: true }); // the keys move it on
      });
    }
  }
  function whenAlive(host, then, tries = 100) { // a control fills its place a moment after the page is there
    if (host.vae && host.vae.take && host.shadowRoot) then();
    else if (tries) setTimeout(() => whenAlive(host, then, tries - 1), 50);
  }

  function dressLinks() {
    document.addEventListener("vae-rest", (event) => {
      try { history.replaceState(null, "", addressOf(event.target)); } catch (error) { /* a page that may not */ }
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[href^='#']");
      if (!link) return;
      const hash = link.getAttribute("href");
      if (link.classList.contains("here")) {
        const host = hostOf(find(split(hash)[0]));
        if (host && host.vae && host.vae.state) link.setAttribute("href", addressOf(host));
        copy(link.href);
        setTimeout(() => link.setAttribute("href", hash), 0);
      } else if (split(hash)[1]) {
        event.preventDefault();
        try { history.pushState(null, "", hash); } catch (error) { /* the same */ }
        follow(hash);
      }
    });
    addEventListener("hashchange", () => follow(location.hash));
    addEventListener("popstate", () => follow(location.hash));
    follow(location.hash);
  }
  function copy(address) {
    const said = find("site-said");
    const tell = (words) => {
      said.textContent = words; said.hidden = false;
      setTimeout(() => { said.hidden = true; }, 2500);
    };
    if (!navigator.clipboard) { tell("The address of this place stands in the address bar."); return; }
    navigator.clipboard.writeText(address).then(() => tell("The address of this place was copied."),
      () => tell("The address of this place stands in the address bar."));
  }

  // Stored outputs can be hidden, for a vote in class before the result is seen.
  function dressOutputs() {
    const hidden = new URLSearchParams(location.search).has("poll");
    if (!hidden) return;
    document.querySelectorAll(".cell > .outputs").forEach((outputs) => {
      if (outputs.querySelector(".made > details")) return; // a prediction, folded already
      const fold = document.createElement("details"), name = document.createElement("summary");
      name.textContent = "Show the result";
      fold.append(name);
      outputs.before(fold);
      fold.append(outputs);
    });
    const keep = (event) => { // for every way on, search results too
      const link = event.target.closest("a[href]");
      if (link && link.pathname.endsWith(".html") && link.pathname !== location.pathname) link.search = "?poll";
    };
    document.addEventListener("click", keep, true);
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (matchMedia("(max-width: 900px)").matches) find("site-menu").open = false;
    dressTheme(); dressSearch(); dressOutputs(); dressLinks();
    const current = document.querySelector("nav [aria-current]");
    if (current) current.scrollIntoView({ block: "nearest" });
    scrollTo(0, location.hash ? scrollY : 0);
    addEventListener("beforeprint", () => document.querySelectorAll("main details").forEach((part) => { part.open = part.open || !part.classList.contains("code"); }));
  });
})();
