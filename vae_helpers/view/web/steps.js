// From an image to the loss, one step at a time: each with its name, formula, line of code and the steps that it needs.

const STEPS = [
  { id: "x", name: "x", formula: "784 pixels in [0, 1]", line: 0, from: [] },
  { id: "mu", name: "μ", formula: "first half of encoder(x)", line: 1, from: ["x"] },
  { id: "logvar", name: "log σ²", formula: "second half of encoder(x)", line: 1, from: ["x"] },
  { id: "sigma", name: "σ", formula: "exp(½ log σ²)", line: 2, from: ["logvar"] },
  { id: "eps", name: "ε", formula: "drawn from N(0, I)", line: 3, from: [] },
  { id: "z", name: "z", formula: "μ + σ ε", line: 4, from: ["mu", "sigma", "eps"] },
  { id: "xhat", name: "x̂", formula: "decoder(z)", line: 5, from: ["z"] },
  { id: "recon", name: "recon", formula: "Σ (x − x̂)²", line: 6, from: ["x", "xhat"] },
  { id: "kl", name: "KL", formula: "½ Σ (μ² + σ² − 1 − log σ²)", line: 7, from: ["mu", "logvar"] },
  { id: "loss", name: "loss", formula: "recon + β · KL", line: 8, from: ["recon", "kl"] },
];

const LINES = [
  "x = image.flatten()",
  "mu, logvar = encoder(x).chunk(2)",
  "sigma = (0.5 * logvar).exp()",
  "eps = torch.randn(2)",
  "z = mu + sigma * eps",
  "x_hat = decoder(z).sigmoid()",
  "recon = (x - x_hat).square().sum()",
  "kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum()",
  "loss = recon + beta * kl",
];

function stepsOf(encode, decode, x, eps, beta) { // all values; pairs as arrays, terms in nats
  const { mu, logvar } = encode(x), sigma = logvar.map((v) => Math.exp(v / 2));
  const z = Array.from(eps, (e, k) => mu[k] + sigma[k] * e), xhat = decode(z);
  const recon = squaredError(x, xhat), kl = klToStandardNormal(mu, logvar);
  return { x, mu, logvar, sigma, eps, z, xhat, recon, kl, beta, loss: recon + beta * kl };
}

// The step with its numbers put in, as a sentence.
function worked(id, { mu, logvar, sigma, eps, z, recon, kl, beta, loss, x }) {
  const pair = (values) => `(${Array.from(values, small).join(", ")})`, each = (f) => `(${[0, 1].map(f).join(", ")})`;
  const parts = [0, 1].map((k) => (mu[k] * mu[k] + sigma[k] * sigma[k] - 1 - logvar[k]) / 2);
  return {
    x: () => `x: ${x.length} pixels, of which ${Array.from(x).filter((grey) => grey > 0).length} are not black`,
    mu: () => `μ = ${pair(mu)}: where the code of this image lies`,
    logvar: () => `log σ² = ${pair(logvar)}: it may be any number, and σ still comes out positive`,
    sigma: () => `σ = ${each((k) => `exp(½ · ${small(logvar[k])})`)} = ${pair(sigma)}`,
    eps: () => `ε = ${pair(eps)}: fresh noise, which depends on no weight`,
    z: () => `z = ${each((k) => `${small(mu[k])} + ${small(sigma[k])} · ${small(eps[k])}`)} = ${pair(z)}`,
    xhat: () => `x̂ = decoder(z) at z = ${pair(z)}`,
    recon: () => `recon = the sum of 784 squared differences = ${small(recon)} nats, with σx² = ½`,
    kl: () => `KL = ${small(parts[0])} from z₁ + ${small(parts[1])} from z₂ = ${small(kl)} nats`,
    loss: () => `loss = ${small(recon)} + ${beta} · ${small(kl)} = ${small(loss)} nats`,
  }[id]();
}
