"use strict";
// Pointing at a figure, tapping it or stepping through it with the arrow keys shows its numbers.
// Texts reach the document only through textContent.
(() => {
  const SVG = "http://www.w3.org/2000/svg", REACH = 14; // pixels
  const all = JSON.parse(document.getElementById("marks").textContent);
  const tip = document.getElementById("figure-tip");
  let follow = null; // Puts the tip back beside its mark when the page scrolls.
  addEventListener("scroll", () => follow?.(), { passive: true });
  const shown = (value) => (value === null ? "–" : String(value));

  // Marks as arrays of numbers and a function of the index, made on first use.
  function unfold(found) {
    if (found.kind === "boxes") {
      const { x, y, w, h, texts } = found;
      return { n: texts.length, box: (i) => [x[i], y[i], w[i], h[i]], text: (i) => texts[i] };
    }
    if (found.kind === "edges") {
      const { x, y, edge } = found;
      return { n: edge.length, box: (i) => [x[i], y[i], 0, 0], edge, text: (i) => circuitvarEdges.tell(edge[i]) };
    }
    const { rows, columns, values, between, label } = found;
    const wide = found.box[2] / columns.length, high = found.box[3] / rows.length;
    const row = (i) => Math.floor(i / columns.length), column = (i) => i % columns.length;
    return {
      n: rows.length * columns.length,
      across: columns.length,
      box: (i) => [found.box[0] + column(i) * wide, found.box[1] + row(i) * high, wide, high],
      text: (i) => `${rows[row(i)]} ${between} ${columns[column(i)]}\n${label} ${shown(values[row(i)][column(i)])}`,
    };
  }

  function enliven(svg, found) {
    let marks = null, at = -1, ring = null;
    const open = () => (marks ??= unfold(found));
    svg.querySelector(":scope > title")?.remove(); // Else the browser shows it over the numbers.
    svg.setAttribute("tabindex", "0");

    function nearest(event) {
      const toFigure = svg.getScreenCTM().inverse();
      const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(toFigure);
      let best = -1, least = (REACH * toFigure.a) ** 2;
      for (let i = 0; i < open().n; i++) {
        const [left, top, wide, high] = marks.box(i);
        const dx = Math.max(left - x, 0, x - left - wide), dy = Math.max(top - y, 0, y - top - high);
        const gap = dx * dx + dy * dy;
        if (gap < least || (gap === 0 && best < 0)) { least = gap; best = i; }
      }
      return best;
    }
    function show(i) {
      if (i === at) return;
      at = i;
      ring?.remove();
      ring = follow = null;
      tip.hidden = i < 0;
      if (i < 0) return;
      const [left, top, wide, high] = marks.box(i), point = wide < 1 && high < 1;
      ring = document.createElementNS(SVG, point ? "circle" : "rect");
      const place = point
        ? { cx: left, cy: top, r: 5 }
        : { x: left, y: top - (high < 1 ? 2 : 0), width: wide, height: high < 1 ? 4 : high };
      for (const [key, value] of Object.entries(place)) ring.setAttribute(key, value);
      ring.setAttribute("class", "ring");
      svg.append(ring);
      tip.textContent = marks.text(i);
      follow = beside;
      beside();
    }
    function beside() {
      const mark = ring.getBoundingClientRect(), room = document.documentElement;
      tip.hidden = mark.bottom < 0 || mark.top > room.clientHeight;
      const below = mark.bottom + 8 + tip.offsetHeight < room.clientHeight;
      const middle = mark.left + mark.width / 2 - tip.offsetWidth / 2;
      tip.style.left = Math.max(4, Math.min(middle, room.clientWidth - tip.offsetWidth - 4)) + "px";
      tip.style.top = (below ? mark.bottom + 8 : Math.max(4, mark.top - tip.offsetHeight - 8)) + "px";
    }

    let moved = null;
    svg.addEventListener("pointermove", (event) => {
      if (!moved) requestAnimationFrame(() => { if (moved) show(nearest(moved)); moved = null; });
      moved = event;
    });
    svg.addEventListener("pointerleave", (event) => { moved = null; if (event.pointerType === "mouse") show(-1); });
    const choose = () => { if (at >= 0 && marks.edge) circuitvarEdges.pick(marks.edge[at]); };
    svg.addEventListener("click", (event) => { show(nearest(event)); choose(); });
    svg.addEventListener("blur", () => show(-1));
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return show(-1);
      if (event.key === "Enter") return choose();
      const across = open().across;
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: across && -across }[event.key];
      if (!step || !marks.n) return;
      event.preventDefault();
      const next = at < 0 ? (step > 0 ? 0 : marks.n - 1) : at + step;
      show((next + marks.n) % marks.n);
    });
  }

  for (const [key, found] of Object.entries(all)) {
    const svg = document.getElementById("figure-" + key)?.querySelector("svg");
    if (svg) enliven(svg, found);
  }
})();
