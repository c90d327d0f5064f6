// A small VAE with gradients written by hand, and Adam. Knows no page: it runs in a worker, and in the tests.
// Encoder: pixels → hidden → μ and log σ². Decoder: z → hidden → pixels, with a sigmoid at the end. SiLU in between.

const SMALL = { pixels: 64, hidden: 64, latents: 2 };

class SmallVAE {
  constructor({ pixels, hidden, latents }, numbers) { // numbers: all weights and biases, or none for zeros
    const sizes = [[pixels, hidden, 2 * latents], [latents, hidden, pixels]], many = (n) => new Float64Array(n);
    const count = ([a, b, c]) => (a + 1) * b + (b + 1) * c, total = count(sizes[0]) + count(sizes[1]);
    const layers = (all) => [...layersOf(sizes[0], all), ...layersOf(sizes[1], all.subarray(count(sizes[0])))];
    this.numbers = numbers || many(total); this.slopes = many(total); // of the loss along each number
    this.layers = layers(this.numbers); this.gradients = layers(this.slopes);
    const z = many(latents), code = many(2 * latents), image = many(pixels);
    Object.assign(this, { z, code, image, mu: code.subarray(0, latents), logvar: code.subarray(latents) });
    this.sums = [many(hidden), many(hidden)]; this.outs = [many(hidden), many(hidden)]; // before and after SiLU
    this.back = { hidden: many(hidden), z: many(latents), code: many(2 * latents), image: many(pixels) };
    this.first = many(total); this.second = many(total); this.steps = 0; // what Adam keeps
  }

  start(uniform, mean) { // as torch starts nn.Linear; mean: the image that the decoder draws before it has learned
    this.layers.forEach(({ weight, bias }) => {
      const reach = 1 / Math.sqrt(weight.length / bias.length);
      [weight, bias].forEach((part) => part.forEach((_, i) => { part[i] = reach * (2 * uniform() - 1); }));
    });
    mean.forEach((m, i) => { this.layers[3].bias[i] = Math.log(clamp(m, 0.01, 0.99) / (1 - clamp(m, 0.01, 0.99))); });
  }

  encode(x) { // into mu and logvar
    linear(this.layers[0], x, this.sums[0]); silu(this.sums[0], this.outs[0]);
    linear(this.layers[1], this.outs[0], this.code);
  }

  decode(z) { // into image
    linear(this.layers[2], z, this.sums[1]); silu(this.sums[1], this.outs[1]);
    linear(this.layers[3], this.outs[1], this.image);
    for (let i = 0; i < this.image.length; i++) this.image[i] = sigmoid(this.image[i]);
    return this.image;
  }

  // Adds `share` times the gradient of recon + β · kl of one image to the slopes; returns the two terms in nats.
  learn(x, eps, beta, share) {
    const { mu, logvar, z, image, back, layers, gradients, sums, outs } = this, n = z.length;
    this.encode(x);
    for (let k = 0; k < n; k++) z[k] = mu[k] + Math.exp(logvar[k] / 2) * eps[k];
    this.decode(z);
    for (let i = 0; i < image.length; i++) {
      back.image[i] = 2 * share * (image[i] - x[i]) * image[i] * (1 - image[i]);
    }
    backward(layers[3], gradients[3], outs[1], back.image, back.hidden); throughSilu(sums[1], back.hidden);
    backward(layers[2], gradients[2], z, back.hidden, back.z);
    for (let k = 0; k < n; k++) {
      back.code[k] = back.z[k] + share * beta * mu[k];
      const sigma = Math.exp(logvar[k] / 2);
      back.code[n + k] = back.z[k] * eps[k] * sigma / 2 + share * beta * (sigma * sigma - 1) / 2;
    }
    backward(layers[1], gradients[1], outs[0], back.code, back.hidden); throughSilu(sums[0], back.hidden);
    backward(layers[0], gradients[0], x, back.hidden, null);
    return [squaredError(x, image), klToStandardNormal(mu, logvar)];
  }

  step(rate) { // Adam (Kingma & Ba 2015) with torch's defaults, then slopes of 0
    const { numbers, slopes, first, second } = this, t = ++this.steps;
    const one = 1 - Math.pow(0.9, t), two = 1 - Math.pow(0.999, t);
    for (let i = 0; i < numbers.length; i++) {
      const g = slopes[i];
      first[i] = 0.9 * first[i] + 0.1 * g; second[i] = 0.999 * second[i] + 0.001 * g * g;
      numbers[i] -= rate * (first[i] / one) / (Math.sqrt(second[i] / two) + 1e-8);
    }
    slopes.fill(0);
  }
}

function silu(sums, out) {
  for (let i = 0; i < sums.length; i++) out[i] = sums[i] * sigmoid(sums[i]);
}

function throughSilu(sums, g) { // g: slopes behind SiLU, made into those before it
  for (let i = 0; i < sums.length; i++) {
    const s = sigmoid(sums[i]);
    g[i] *= s * (1 + sums[i] * (1 - s));
  }
}

// g: slopes along the layer's outputs. Adds those along its numbers to `gradient`, and fills `into` with those along x.
function backward({ weight }, gradient, x, g, into) {
  const n = x.length, { weight: slopes, bias } = gradient;
  if (into) into.fill(0);
  for (let row = 0; row < g.length; row++) {
    const slope = g[row], at = row * n;
    bias[row] += slope;
    for (let i = 0; i < n; i++) slopes[at + i] += slope * x[i];
    if (into) for (let i = 0; i < n; i++) into[i] += slope * weight[at + i];
  }
}
