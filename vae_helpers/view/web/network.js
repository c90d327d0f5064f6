// A network of linear layers with SiLU between them. Knows no page.

// numbers: weights and biases in the order of use, as in torch: (out, in), then the bias. The function that it returns
// gives the sums of the last layer.
function network(sizes, numbers) {
  let at = 0;
  const take = (n) => numbers.subarray(at, (at += n));
  const layers = sizes.slice(1).map((rows, k) => ({ weight: take(rows * sizes[k]), bias: take(rows) }));
  return (input) => layers.reduce((x, { weight, bias }, k) => {
    const y = linear(weight, bias, x);
    return k < layers.length - 1 ? y.map((sum) => sum * sigmoid(sum)) : y;
  }, input);
}

function linear(weight, bias, x) {
  const y = new Float32Array(bias.length), n = x.length;
  for (let row = 0, w = 0; row < y.length; row++) {
    let sum = bias[row];
    for (let i = 0; i < n; i++) sum += weight[w++] * x[i];
    y[row] = sum;
  }
  return y;
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

function decoder(sizes, numbers) { // z → pixels in [0, 1]
  const logits = network(sizes, numbers);
  return (z) => logits(z).map(sigmoid);
}
