// Random numbers from a seed, the same everywhere. Knows no page.

// Weyl steps of 2³² / φ, each scrambled as by MurmurHash3's finaliser: independent enough for pictures and training.
function makeRandom(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 0, spare = null;
  const uniform = () => { // in [0, 1)
    let h = state = (state + 0x9e3779b9) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b); h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
  };
  const normal = () => { // Box and Muller 1958, two at a time
    if (spare !== null) { const kept = spare; spare = null; return kept; }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const shuffle = (list) => { // in place, by Fisher and Yates
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(uniform() * (i + 1)), kept = list[i];
      list[i] = list[j]; list[j] = kept;
    }
    return list;
  };
  return { uniform, normal, shuffle };
}
