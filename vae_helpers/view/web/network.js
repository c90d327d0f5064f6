// Networks of linear layers with SiLU between them. Knows no page.

// Weights and biases as views into `numbers`, in the order of use, as in torch: (out, in), then the bias.
function layersOf(sizes, numbers) {
  let at = 0;
  const take = (n) => numbers.subarray(at, (at += n));
  return sizes.slice(1).map((rows, k) => ({ weight: take(rows * sizes[k]), bias: take(rows) }));
}

function linear({ weight, bias }, x, y) { // fills and returns y; by fours, as a single sum waits for its last term
  const rows = y.length, n = x.length, whole = n & ~3;
  for (let row = 0, w = 0; row < rows; row++) {
    let a = bias[row], b = 0, c = 0, d = 0, i = 0;
    for (; i < whole; i += 4, w += 4) {
      a += weight[w] * x[i]; b += weight[w + 1] * x[i + 1];
      c += weight[w + 2] * x[i + 2]; d += weight[w + 3] * x[i + 3];
    }
    for (; i < n; i++) a += weight[w++] * x[i];
    y[row] = a + b + c + d;
  }
  return y;
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

function network(sizes, numbers) { // a function from the input to the sums of the last layer
  const layers = layersOf(sizes, numbers);
  return (input) => layers.reduce((x, layer, k) => {
    const y = linear(layer, x, new Float32Array(layer.bias.length));
    return k < layers.length - 1 ? y.map((sum) => sum * sigmoid(sum)) : y;
  }, input);
}

function decoder(sizes, numbers) { // z → pixels in [0, 1]
  const logits = network(sizes, numbers);
  return (z) => logits(z).map(sigmoid);
}

function encoder(sizes, numbers) { // pixels → μ and log σ², which the last layer gives one after the other
  const both = network(sizes, numbers), half = sizes[sizes.length - 1] / 2;
  return (x) => { const out = both(x); return { mu: out.subarray(0, half), logvar: out.subarray(half) }; };
}
