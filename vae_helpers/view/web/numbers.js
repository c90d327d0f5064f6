// Numbers: out of base64, through the normal distribution, and as text. Knows no page.

// Read byte by byte: the order is fixed, whatever the reader's machine.
function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function shorts(text) { // 16 bits with sign
  const b = bytes(text);
  return Int16Array.from({ length: b.length / 2 }, (_, i) => b[2 * i] | (b[2 * i + 1] << 8));
}

function halves(text) { // half precision; infinities and NaN are refused in Python, so exponent 31 never comes
  const h = shorts(text), out = new Float32Array(h.length);
  for (let i = 0; i < h.length; i++) {
    const exponent = (h[i] >> 10) & 31, fraction = h[i] & 1023;
    const size = exponent ? (1 + fraction / 1024) * Math.pow(2, exponent - 15) : fraction * Math.pow(2, -24);
    out[i] = h[i] < 0 ? -size : size;
  }
  return out;
}

function bell(x) { // the standard normal density
  return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

function share(x) { // Φ by Marsaglia's series (2004), exact to rounding for the |x| < 2 used here
  let term = x, sum = x;
  for (let k = 3; k < 61; k += 2) sum += (term *= x * x / k);
  return 0.5 + bell(x) * sum;
}

function probit(p) { // Φ⁻¹ by Newton's method from 0: no overshoot, as Φ is concave right of 0 and convex left of it
  let x = 0;
  for (let i = 0; i < 12; i++) x += (p - share(x)) / bell(x);
  return x;
}

function clamp(x, low, high) {
  return Math.min(Math.max(x, low), high);
}

function between(from, to, t) { // on the line from one place to another
  return from.map((x, k) => x + t * (to[k] - x));
}

function decimal(x, digits) { // with a true minus sign
  return x.toFixed(digits).replace("-", "−");
}

function percent(u) {
  return `${decimal(100 * u, 1)} %`;
}

function small(x) { // two digits behind the point, or as many as show two that are not 0
  const size = Math.abs(x), digits = size > 0 && size < 0.1 ? Math.min(6, 1 - Math.floor(Math.log10(size))) : 2;
  return decimal(x, digits);
}
