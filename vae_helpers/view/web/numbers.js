// Numbers: out of base64, through the normal distribution, and as text. Knows no page.

// Read byte by byte: the order is fixed, whatever the reader's machine.
function bytes(text) {
  const letters = atob(text), out = new Uint8Array(letters.length);
  for (let i = 0; i < out.length; i++) out[i] = letters.charCodeAt(i);
  return out;
}

function shorts(text) { // 16 bits with sign
  const b = bytes(text), out = new Int16Array(b.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = b[2 * i] | (b[2 * i + 1] << 8);
  return out;
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

function small(x) { // two digits behind the point, or as many as show two that are not 0; tiny ones with a power of ten
  const size = Math.abs(x);
  if (size > 0 && size < 1e-5) return powered(x);
  return decimal(x, size > 0 && size < 0.1 ? 1 - Math.floor(Math.log10(size)) : 2);
}

function powered(x) { // 2.3·10⁻⁷
  const [digits, power] = x.toExponential(1).split("e");
  const raised = Array.from(power.replace("+", ""), (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");
  return `${digits.replace("-", "−")}·10${raised}`;
}
