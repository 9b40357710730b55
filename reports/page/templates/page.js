"use strict";
// Values reach the document only through textContent: nothing in the data can become markup.
const circuitvarEdges = { tell: (e) => "edge " + e, pick: () => {} }; // What figures say about edges.
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const data = JSON.parse($("data").textContent);
  const redraws = [];

  // Light and dark: the system's choice until the reader makes one.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const themeButton = $("theme");
  const showTheme = () => {
    themeButton.textContent = isDark() ? "Light" : "Dark";
    redraws.forEach((draw) => draw());
  };
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  dark.addEventListener("change", showTheme);

  document.querySelectorAll("[data-copy]").forEach((button) =>
    button.addEventListener("click", async () => {
      const target = $(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(target.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(target); // No clipboard here: leave it selected.
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    }),
  );

  if (!data) { showTheme(); return; }

  // ---- edges, shared by the drawing and the table --------------------------------------------
  const { nodes, src, dst, columns } = data;
  const n = src.length;
  const name = (e) => (data.names ? data.names[e] : nodes[src[e]].name + "->" + nodes[dst[e]].name);
  const lower = new Array(n);
  for (let e = 0; e < n; e++) lower[e] = name(e).toLowerCase();
  const byKey = new Map(columns.map((column) => [column.key, column]));
  const score = byKey.get("score");
  const classes = byKey.get("class");
  const axes = columns.filter((column) => column.key.startsWith("inclusion"));
  let strength = (byKey.get(data.inclusion) || { values: new Array(n).fill(1) }).values;
  const text = (column, e) => {
    const value = column.values[e];
    if (column.kind === "level") return column.levels[value];
    if (column.kind === "flag") return value ? "yes" : "no";
    return value === null ? "–" : String(value);
  };
  const matches = (words, e) => words.every((word) => lower[e].includes(word));
  const wordsOf = (input) => input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const later = (work) => {
    let asked = 0;
    return () => { if (!asked) asked = requestAnimationFrame(() => { asked = 0; work(); }); };
  };
  const tell = (e) => name(e) + "\n" + columns.map((c) => `${c.title}: ${text(c, e)}`).join("\n");
  let picked = -1;
  const onPick = [];
  const pick = (e) => {
    picked = e;
    onPick.forEach((tell) => tell());
    $("picked").textContent =
      e < 0 ? "" : name(e) + ": " + columns.map((c) => c.title + " " + text(c, e)).join(", ");
  };

  Object.assign(circuitvarEdges, { tell, pick });

  // ---- the drawing ---------------------------------------------------------------------------
  const canvas = $("canvas"), pen = canvas.getContext("2d"), box = $("drawing"), tip = $("tip");
  const slider = $("threshold"), find = $("find"), axisChoice = $("axis");
  const LEFT = 34, TOP = 44;
  const right = Math.max(...nodes.map((node) => node.x)), below = Math.max(...nodes.map((node) => node.y));
  const heads = new Map(); // label -> where the node is drawn; q, k and v ends share one.
  nodes.forEach((node) => heads.set(node.label, { label: node.label, x: node.x, y: node.y }));
  let width = 0, height = 0, column = 0, line = 30, half = 6, roomy = false, visible = [], hovered = -1;
  const px = (node) => LEFT + node.x * column;
  const py = (node) => TOP + node.y * line;
  const enter = { q: -5, k: 0, v: 5, "": 0 }; // q, k and v arrive at slightly different heights.

  function curve(e) {
    const a = nodes[src[e]], b = nodes[dst[e]];
    const x0 = px(a) + half, y0 = py(a), x1 = px(b) - half, y1 = py(b) + enter[b.slot];
    const bend = Math.max(12, (x1 - x0) * 0.45);
    return [x0, y0, x0 + bend, y0, x1 - bend, y1, x1, y1];
  }
  function mix(from, to, t) {
    const out = [0, 1, 2].map((i) => Math.round(from[i] + (to[i] - from[i]) * t));
    return `rgb(${out[0]} ${out[1]} ${out[2]})`;
  }
  const hex = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  function palette() {
    const style = getComputedStyle(root);
    const get = (key) => style.getPropertyValue(key).trim();
    const stops = ["--low", "--mid", "--core"].map((key) => hex(get(key)));
    const at = (p) => (p < 0.5 ? mix(stops[0], stops[1], 2 * p) : mix(stops[1], stops[2], 2 * p - 1));
    return { at, ink: get("--ink"), dim: get("--dim"), grid: get("--grid"), paper: get("--paper"), fail: get("--fail") };
  }
  function choose() {
    const least = slider.value / 100, words = wordsOf(find);
    visible = [];
    for (let e = 0; e < n; e++)
      if (strength[e] !== null && strength[e] >= least && strength[e] > 0 && (!words.length || matches(words, e))) visible.push(e);
    visible.sort((a, b) => strength[a] - strength[b] || b - a);
    $("threshold-text").textContent = slider.value + "%";
    $("shown").textContent =
      `${visible.length.toLocaleString("en")} of ${n.toLocaleString("en")} edges` + (words.length ? " match" : " shown");
    draw();
  }
  function size() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    width = Math.max(box.clientWidth, 60 + right * 24, 560);
    column = (width - 2 * LEFT) / Math.max(right, 1);
    line = Math.max(27, Math.min(64, 380 / (below + 1)));
    height = TOP + below * line + 28;
    roomy = column >= 38; // Room for names inside the nodes.
    half = roomy ? Math.min(22, 0.4 * column) : 6;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw();
  }
  function stroke(e, colour, thick, opacity) {
    const c = curve(e);
    pen.globalAlpha = opacity;
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.setLineDash(score && score.values[e] < 0 ? [5, 3] : []);
    pen.beginPath();
    pen.moveTo(c[0], c[1]);
    pen.bezierCurveTo(c[2], c[3], c[4], c[5], c[6], c[7]);
    pen.stroke();
  }
  function draw() {
    const colours = palette();
    pen.clearRect(0, 0, width, height);
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.fillStyle = colours.dim;
    for (let x = 1; x < right; x += 2)
      if (column > 24 || ((x - 1) / 2) % 2 === 0) pen.fillText("layer " + (x - 1) / 2, LEFT + (x + 0.5) * column, 16);
    const crowd = Math.min(1, Math.max(0.12, 160 / (visible.length || 1)));
    for (const e of visible) stroke(e, colours.at(strength[e]), 0.6 + 1.8 * strength[e], 0.25 + 0.75 * crowd * strength[e]);
    const chosen = hovered >= 0 ? hovered : picked;
    if (chosen >= 0) stroke(chosen, colours.fail, 3.5, 1);
    pen.globalAlpha = 1;
    pen.setLineDash([]);
    const used = new Set();
    for (const e of visible) { used.add(nodes[src[e]].label); used.add(nodes[dst[e]].label); }
    pen.textBaseline = "middle";
    pen.font = (column < 46 ? "9px" : "11px") + " system-ui, sans-serif";
    for (const head of heads.values()) {
      const on = used.has(head.label), x = px(head), y = py(head);
      pen.beginPath();
      if (roomy) pen.roundRect(x - half, y - 9, 2 * half, 18, 5);
      else pen.arc(x, y, on ? 5 : 3, 0, 7);
      pen.fillStyle = roomy ? colours.paper : on ? colours.ink : colours.grid;
      pen.fill();
      if (!roomy) continue;
      pen.lineWidth = 1;
      pen.strokeStyle = on ? colours.ink : colours.grid;
      pen.stroke();
      pen.fillStyle = on ? colours.ink : colours.dim;
      pen.fillText(head.label, x, y + 0.5, 2 * half - 2);
    }
    pen.textBaseline = "alphabetic";
  }
  function nearest(x, y) {
    let best = -1, least = 49; // within 7 pixels
    for (let i = visible.length - 1; i >= 0; i--) {
      const c = curve(visible[i]);
      if (x < c[0] - 7 || x > c[6] + 7 || y < Math.min(c[1], c[7]) - 7 || y > Math.max(c[1], c[7]) + 7) continue;
      let ax = c[0], ay = c[1];
      for (let s = 1; s <= 16; s++) {
        const t = s / 16, u = 1 - t;
        const bx = u * u * u * c[0] + 3 * u * u * t * c[2] + 3 * u * t * t * c[4] + t * t * t * c[6];
        const by = u * u * u * c[1] + 3 * u * u * t * c[3] + 3 * u * t * t * c[5] + t * t * t * c[7];
        const dx = bx - ax, dy = by - ay, span = dx * dx + dy * dy || 1;
        const at = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / span));
        const gap = (x - ax - at * dx) ** 2 + (y - ay - at * dy) ** 2;
        if (gap < least) { least = gap; best = visible[i]; }
        ax = bx; ay = by;
      }
    }
    return best;
  }
  function nodeAt(x, y) {
    for (const head of heads.values()) if (Math.abs(px(head) - x) <= half + 1 && Math.abs(py(head) - y) <= 9) return head;
    return null;
  }
  function describe(x, y) {
    const node = nodeAt(x, y);
    if (node) {
      let into = 0, out = 0;
      for (const e of visible) { into += nodes[dst[e]].label === node.label; out += nodes[src[e]].label === node.label; }
      hovered = -1;
      return `${node.label}\n${into} shown edges in, ${out} out`;
    }
    hovered = nearest(x, y);
    return hovered < 0 ? "" : tell(hovered);
  }
  let mouse = null;
  const onMove = later(() => {
    if (!mouse) return;
    const said = describe(mouse.x, mouse.y);
    tip.hidden = !said;
    tip.textContent = said;
    const room = box.scrollLeft + box.clientWidth;
    tip.style.left = Math.max(4, Math.min(mouse.x + 14, room - tip.offsetWidth - 6)) + "px";
    tip.style.top = Math.max(4, Math.min(mouse.y + 14, height - tip.offsetHeight - 6)) + "px";
    draw();
  });
  canvas.addEventListener("pointermove", (event) => { mouse = { x: event.offsetX, y: event.offsetY }; onMove(); });
  canvas.addEventListener("pointerleave", () => { mouse = null; hovered = -1; tip.hidden = true; draw(); });
  canvas.addEventListener("click", (event) => { describe(event.offsetX, event.offsetY); pick(hovered); });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: -1, ArrowLeft: 1 }[event.key];
    if (event.key === "Escape") pick(-1);
    if (!step || !visible.length) return;
    event.preventDefault();
    const at = visible.indexOf(picked); // Strongest edge first.
    pick(visible[at < 0 ? visible.length - 1 : (at + step + visible.length) % visible.length]);
  });
  axes.forEach((axis) => {
    const option = document.createElement("option");
    option.value = axis.key;
    option.textContent = axis.title.replace("Kept: ", "");
    axisChoice.append(option);
  });
  axisChoice.parentElement.hidden = axes.length < 2;
  axisChoice.addEventListener("change", () => { strength = byKey.get(axisChoice.value).values; choose(); });
  slider.addEventListener("input", later(choose));
  find.addEventListener("input", later(choose));
  onPick.push(draw);
  redraws.push(draw);
  addEventListener("resize", later(size));

  // ---- the table: only the rows in view exist ------------------------------------------------
  const rows = $("rows"), table = $("table"), body = table.tBodies[0], filter = $("filter"), level = $("class");
  const HIGH = 28;
  const shownColumns = [{ key: "edge", title: "Edge", kind: "name" }, ...columns];
  let order = Uint32Array.from({ length: n }, (_, e) => e), listed = order;
  let sortKey = data.inclusion || (score ? "score" : "edge"), down = true, printing = false;

  const compare = (columnOf) => {
    if (columnOf.kind === "name") return (a, b) => (lower[a] < lower[b] ? -1 : lower[a] > lower[b] ? 1 : 0);
    const values = columnOf.values;
    if (columnOf.kind === "level") return (a, b) => (columnOf.levels[values[a]] < columnOf.levels[values[b]] ? -1 : values[a] === values[b] ? 0 : 1);
    return (a, b) => values[a] - values[b];
  };
  const size0 = (e) => (score && score.values[e] !== null ? Math.abs(score.values[e]) : 0);
  function sort() {
    const columnOf = shownColumns.find((c) => c.key === sortKey), test = compare(columnOf), sign = down ? -1 : 1;
    const gone = (e) => columnOf.values && columnOf.values[e] === null; // Missing values always last.
    order.sort((a, b) => gone(a) - gone(b) || sign * test(a, b) || size0(b) - size0(a) || a - b);
    [...table.tHead.rows[0].cells].forEach((cell, i) => {
      const on = shownColumns[i].key === sortKey;
      cell.setAttribute("aria-sort", on ? (down ? "descending" : "ascending") : "none");
      cell.firstChild.textContent = shownColumns[i].title + (on ? (down ? " ↓" : " ↑") : "");
    });
    sift();
  }
  function sift() {
    const words = wordsOf(filter), want = level.value === "" ? -1 : Number(level.value);
    listed = !words.length && want < 0 ? order : order.filter((e) => matches(words, e) && (want < 0 || classes.values[e] === want));
    $("count").textContent = `${listed.length.toLocaleString("en")} of ${n.toLocaleString("en")} edges`;
    rows.scrollTop = 0;
    fill();
  }
  function pad(high) {
    const row = document.createElement("tr"), cell = row.insertCell();
    row.className = "pad";
    row.setAttribute("aria-hidden", "true");
    cell.colSpan = shownColumns.length;
    cell.style.height = high + "px";
    return row;
  }
  function rowOf(e, at) {
    const row = document.createElement("tr");
    row.dataset.edge = e;
    row.setAttribute("aria-rowindex", at + 2);
    if (e === picked) row.className = "on";
    for (const c of shownColumns) {
      const cell = row.insertCell();
      if (c.kind === "number") cell.className = "number";
      if (c.key === "class") {
        const dot = document.createElement("span");
        dot.className = "dot " + text(c, e).replace(/[^a-z]/g, "");
        cell.append(dot);
      }
      cell.append(c.kind === "name" ? name(e) : text(c, e));
    }
    return row;
  }
  function fill() {
    const first = printing ? 0 : Math.max(0, Math.floor(rows.scrollTop / HIGH) - 8);
    const last = printing ? 60 : first + Math.ceil(rows.clientHeight / HIGH) + 16;
    const part = document.createDocumentFragment();
    if (first) part.append(pad(first * HIGH));
    const end = Math.min(last, listed.length);
    for (let i = first; i < end; i++) part.append(rowOf(listed[i], i));
    if (end < listed.length && !printing) part.append(pad((listed.length - end) * HIGH));
    body.replaceChildren(part);
  }
  shownColumns.forEach((c) => {
    const cell = document.createElement("th"), button = document.createElement("button");
    cell.scope = "col";
    if (c.kind === "number") cell.className = "number";
    button.type = "button";
    button.textContent = c.title;
    button.addEventListener("click", () => {
      down = sortKey === c.key ? !down : c.kind === "number" || c.kind === "flag";
      sortKey = c.key;
      sort();
    });
    cell.append(button);
    table.tHead.rows[0].append(cell);
  });
  if (classes) classes.levels.forEach((label, i) => {
    const option = document.createElement("option");
    option.value = i;
    option.textContent = label;
    level.append(option);
  });
  level.parentElement.hidden = !classes;
  rows.addEventListener("scroll", later(fill), { passive: true });
  rows.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target !== rows || !listed.length) return;
    event.preventDefault();
    const at = listed.indexOf(picked), next = Math.max(0, Math.min(listed.length - 1, at + step));
    pick(listed[at < 0 ? 0 : next]);
    const top = (at < 0 ? 0 : next) * HIGH;
    if (top < rows.scrollTop || top > rows.scrollTop + rows.clientHeight - 3 * HIGH) rows.scrollTop = Math.max(0, top - 4 * HIGH);
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-edge]");
    if (row) pick(Number(row.dataset.edge));
  });
  filter.addEventListener("input", later(sift));
  level.addEventListener("change", sift);
  onPick.push(fill);
  let chosenTheme;
  addEventListener("beforeprint", () => { // Paper is white: draw the canvas in light colours.
    chosenTheme = root.dataset.theme;
    root.dataset.theme = "light";
    printing = true;
    fill();
    draw();
  });
  addEventListener("afterprint", () => {
    if (chosenTheme) root.dataset.theme = chosenTheme;
    else delete root.dataset.theme;
    printing = false;
    fill();
    draw();
  });

  // A threshold that shows a readable number of edges: the core first, more when there is room.
  const counts = [90, 50, 30, 10].map((p) => [p, strength.filter((s) => s !== null && s >= p / 100).length]);
  slider.value = (counts.filter(([, count]) => count <= 150).pop() || counts[0])[0];
  size();
  choose();
  sort();
  showTheme();
  root.dataset.ready = "yes";
})();
