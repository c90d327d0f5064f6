// The two terms of the loss, of one image, in nats. Knows no page.

function squaredError(x, image) { // the Gaussian −log p(x|z) at σx² = ½, up to a constant
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] - image[i]) * (x[i] - image[i]);
  return sum;
}

function klToStandardNormal(mu, logvar) { // ½ Σ (μ² + σ² − 1 − log σ²)
  let sum = 0;
  for (let k = 0; k < mu.length; k++) sum += mu[k] * mu[k] + Math.exp(logvar[k]) - 1 - logvar[k];
  return sum / 2;
}
