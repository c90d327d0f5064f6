// Search over every section: words, headings and the questions of chapter 15, with words that stand for one another.
// index.js calls startSearch with [[number, heading, address, text], …] and [[phrases, phrases], …].
(function () {
  "use strict";
  const fold = (text) => text.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
  const MOST = 12, HEADING = 12; // results; how much more a heading counts than its text
  const ORDINARY = new Set("a an and are as at be but by can do does for from has have how i if in is it its my no not of on or so that the their then there this to was what when where which why will with you".split(" "));
  let sections = [], synonyms = [];

  window.startSearch = ([found, rows]) => {
    sections = found.map(([number, heading, address, text]) => ({ number, heading, address, text,
      head: ` ${fold(heading)}`, body: ` ${fold(text)}` }));
    synonyms = rows.map((row) => row.map((phrases) => phrases.map(fold)));
    window.searchAll = show;
    window.showSearch();
  };

  // For every word of the query, all that may stand for it.
  function wanted(query) {
    const words = fold(query).split(/[^\p{L}\p{N}²σμβ]+/u).filter((word) => word.length > 1 || /[^a-z0-9]/.test(word));
    const telling = words.filter((word) => !ORDINARY.has(word));
    return (telling.length ? telling : words).map((word) => {
      const others = synonyms.filter((row) => row.some((phrases) => phrases.includes(word))).flat(2);
      return [...new Set([word, ...others])];
    });
  }

  const count = (text, word) => text.split(` ${word}`).length - 1 + 0.25 * (text.split(word).length - text.split(` ${word}`).length);
  // How often, with less for each further time. Where there are three words or more, one may be missing, at a price.
  function score(section, words) {
    let sum = 0, missing = 0;
    for (const spellings of words) {
      const best = Math.max(...spellings.map((word, i) => {
        const found = HEADING * Math.min(count(section.head, word), 1) + Math.log1p(count(section.body, word));
        return i ? found * 0.6 : found;
      }));
      if (!best) missing += 1;
      sum += best;
    }
    if (missing > (words.length > 2 ? 1 : 0)) return 0;
    return (missing ? 0.15 : 1) * sum / (1 + 0.02 * Math.sqrt(section.body.length));
  }

  function excerpt(section, words) {
    const places = words.map((spellings) => section.body.indexOf(` ${spellings[0]}`)).filter((at) => at >= 0);
    const at = Math.max(0, Math.min(...(places.length ? places : [0])) - 50);
    const text = section.text.slice(at, at + 170);
    return `${at ? "… " : ""}${text.replace(/^\S*\s/, "")} …`;
  }

  function show(query, results, status) {
    const words = wanted(query);
    results.hidden = !words.length;
    const hits = sections.map((section) => ({ section, points: words.length ? score(section, words) : 0 }))
      .filter((hit) => hit.points > 0).sort((a, b) => b.points - a.points).slice(0, MOST);
    status.textContent = words.length ? `${hits.length} found.` : "";
    results.replaceChildren(...hits.map(({ section }) => {
      const line = document.createElement("p"), link = document.createElement("a");
      link.href = section.address;
      link.textContent = `${section.number} ${section.heading}`.trim();
      line.append(link, ` ${excerpt(section, words)}`);
      return line;
    }));
    if (!hits.length) results.textContent = "Nothing holds all these words. Try fewer, or others.";
  }
})();
