// The playground: draw a digit, follow it to the loss, train two models. start.js calls start(host, data).

class Playground {
  constructor(host, data) {
    this.probe = make("span", { class: "probe" }); // has the page's text colour
    this.drawing = new Drawing(data, (x) => this.graph && this.graph.take(x));
    this.graph = new Graph(data, this.drawing.answers);
    this.study = new Study(data);
    this.parts = [this.drawing, this.graph, this.study];
    this.box = make("div", { class: "box" }, make("style", {}, data.style), ...this.parts.map((part) => part.root));
    host.attachShadow({ mode: "open" }).append(this.probe, this.box);
    host.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab: keys in here are not its shortcuts
    watchTheme(this.probe, this.box, () => this.layout());
    const { drawing: { pad }, study } = this;
    host.playground = this;
    host.vae.state = () => ({ image: pad.shown ? pad.shown.digit : "", beta: study.slider.value });
    host.vae.take = ({ image, beta } = {}) => { // what is no digit and no number changes nothing
      if (/^\d$/.test(image)) this.drawing.open(Number(image));
      if (beta !== "" && typeof beta !== "object" && Number.isFinite(Number(beta))) {
        study.slider.value = Number(beta); study.weigh();
      }
    };
    ["input", "click", "keyup", "pointerup"].forEach((kind) => this.box.addEventListener(kind, () => {
      clearTimeout(this.later);
      this.later = setTimeout(() => tellRest(host), 300);
    }));
    study.begin();
    this.layout();
    pad.wipe();
  }

  layout() {
    const colors = readTheme(this.probe, this.box);
    this.parts.forEach((part) => part.layout(colors));
  }
}

function start(host, data) {
  new Playground(host, data);
}
