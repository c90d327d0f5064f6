// What ipywidgets leaves undone on the page: focus after a click on a slider's track, names for screen readers, and
// pictures that can be pointed at. Sent with every control; the second time it only dresses what is new. ES2017.
(function () {
  "use strict";
  const KNOB = ".noUi-handle, .ui-slider-handle", TRACK = ".noUi-target, .ui-slider"; // ipywidgets 8, ipywidgets 7
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

  const label = (part) => (part.querySelector(".widget-label") || {}).textContent || "";
  function set(part, attributes) { // only what changes, so that nothing is read out twice
    for (const [name, value] of Object.entries(attributes)) {
      if (part.getAttribute(name) !== value) part.setAttribute(name, value);
    }
  }
  function dress(control) {
    set(control, { "data-lm-suppress-shortcuts": "true" }); // JupyterLab: arrow keys in here are not its shortcuts
    control.querySelectorAll(".widget-slider, .widget-hslider, .widget-inline-hbox").forEach((slider) => {
      const said = slider.querySelector(".widget-readout");
      slider.querySelectorAll(KNOB).forEach((knob) => set(knob, { "aria-label": label(slider),
        ...(said ? { "aria-valuetext": said.textContent } : {}) }));
      if (said) set(said, { tabindex: "-1", "aria-label": `${label(slider)}, value` });
    });
    control.querySelectorAll(".widget-play").forEach((play) => play.querySelectorAll("button").forEach((button, i) =>
      set(button, { "aria-label": ["play or pause", "stop", "repeat"][i] || button.title })));
    control.querySelectorAll(".vae-pad").forEach((pad) =>
      set(pad, { tabindex: "0", role: "application", "aria-label": label(pad.querySelector(".vae-said")) }));
  }
  const dressAll = () => document.querySelectorAll(".vae-control").forEach(dress);

  let count = 0;
  function say(pad, words) { // through a hidden text field, which the kernel reads; the count makes each message new
    const field = pad.querySelector(".vae-said input");
    field.value = `${words} ${++count}`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  function point(pad, event) {
    const box = pad.getBoundingClientRect(), share = (a, b) => Math.min(Math.max(a / b, 0), 1).toFixed(4);
    say(pad, `point ${share(event.clientX - box.left, box.width)} ${share(event.clientY - box.top, box.height)}`);
  }
  function press(event) {
    const control = event.target.closest && event.target.closest(".vae-control");
    if (!control) return;
    dress(control);
    const track = event.target.closest(TRACK), pad = event.target.closest(".vae-pad");
    const goal = track ? track.querySelector(KNOB) : pad;
    if (goal) setTimeout(() => goal.focus({ preventScroll: true }), 0); // after the notebook has taken the focus
    if (!pad) return;
    pad.setPointerCapture(event.pointerId);
    point(pad, event);
    event.preventDefault();
  }
  function drag(event) {
    const pad = event.target.closest && event.target.closest(".vae-pad");
    if (pad && pad.hasPointerCapture(event.pointerId)) point(pad, event);
  }
  function key(event) {
    const pad = event.target.classList && event.target.classList.contains("vae-pad") && event.target;
    const way = ARROWS[event.key];
    if (!pad || !way || event.ctrlKey || event.altKey || event.metaKey) return;
    say(pad, `step ${way.map((step) => step * (event.shiftKey ? 5 : 1)).join(" ")}`);
    event.preventDefault();
    event.stopPropagation();
  }

  if (!window.vaeControls) {
    window.vaeControls = { dressAll };
    document.addEventListener("pointerdown", press, true);
    document.addEventListener("pointermove", drag, true);
    document.addEventListener("keydown", key, true);
    const again = (event) => event.target.closest && event.target.closest(".vae-control") && dressAll();
    document.addEventListener("focusin", again, true);
    document.addEventListener("keyup", again, true); // what a slider over names says now
  }
  for (let i = 1; i < 40; i++) setTimeout(window.vaeControls.dressAll, 250 * i); // the views come when they come
})();
