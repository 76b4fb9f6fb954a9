"use strict";
// Draws what the page's data holds: the percentile curve, the events, and a chart for each time line. Two runs
// share their axes: the first is solid, the second dashed. The pointer reads all time lines at one moment.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const runs = read("data"), catalogue = read("catalogue");
  const NAMES = runs.length === 2 ? ["A", "B"] : [""];
  const PAD = { left: 46, right: 12, top: 8, bottom: 22 };
  const svgNode = (name, attributes, parent, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  };
  const element = (name, parent, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  };
  const colour = (index) => `var(--c${index % 8})`;
  const shown = (value) => {
    if (value === null || value === undefined) return "-";
    const size = Math.abs(value);
    if (size >= 10000) return `${Math.round(value / 100) / 10}k`;
    if (size >= 100) return Math.round(value).toLocaleString("en");
    return String(size >= 10 ? Math.round(value * 10) / 10 : Math.round(value * 100) / 100);
  };
  const clock = (seconds) => {
    const whole = Math.round(seconds * 10) / 10;
    if (whole < 60) return `${whole} s`;
    const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = Math.floor(whole % 60);
    const two = (value) => String(value).padStart(2, "0");
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };
  // Round steps, four to six of them.
  const ticks = (low, high, about, steps = [1, 2, 2.5, 5, 10]) => {
    const raw = (high - low) / about || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = steps.map((one) => one * power).find((one) => one >= raw * 0.999) || power * 10;
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(at);
    return found;
  };
  const timeTicks = (end, about) => {
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200]
      .find((one) => end / one <= about) || 86400;
    return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, n) => n * step);
  };
  const frame = (figure, height) => {
    const width = Math.max(240, figure.clientWidth - 26);
    const svg = svgNode("svg", { viewBox: `0 0 ${width} ${height}`, height }, figure);
    return { svg, width, height, inner: width - PAD.left - PAD.right, tall: height - PAD.top - PAD.bottom };
  };
  const vertical = (area, top, unit) => {
    const y = (value) => PAD.top + area.tall * (1 - value / top);
    for (const value of ticks(0, top, 4)) {
      svgNode("line", { class: "grid", x1: PAD.left, x2: area.width - PAD.right, y1: y(value), y2: y(value) }, area.svg);
      svgNode("text", { x: PAD.left - 6, y: y(value) + 4, "text-anchor": "end" }, area.svg, shown(value));
    }
    return y;
  };
  const ceiling = (values) => {
    const most = Math.max(0, ...values);
    if (most === 0) return 1;
    const step = ticks(0, most, 4);
    const size = step.length > 1 ? step[1] - step[0] : most;
    return Math.ceil(most / size - 1e-9) * size || 1;
  };
  const path = (points) => {
    let text = "", open = false;
    for (const [x, y] of points) {
      if (y === null) { open = false; continue; }
      text += `${open ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      open = true;
    }
    return text;
  };
  const legendEntry = (parent, name, index, dashed) => {
    const entry = element("span", parent), sign = element("i", entry, dashed ? "dash" : "");
    sign.style.borderTopColor = colour(index);
    entry.append(name);
    return element("b", entry);
  };

  function drawCurve() {
    const figure = document.getElementById("curve");
    figure.replaceChildren();
    const keys = [...new Set(runs.flatMap((run) => run.latency.map((one) => `${one.kind} (${one.priority})`)))];
    if (!keys.length) { figure.remove(); return; }
    const title = element("h3", figure, "", "Percentiles ");
    element("span", title, "", "ms, by track kind (priority)");
    const legend = element("div", figure, "legend");
    // Each step to the right is ten times rarer.
    const place = (percent) => Math.log10(1 / (1 - Math.min(percent, 99.9995) / 100));
    const end = 5, area = frame(figure, 280);
    const x = (percent) => PAD.left + area.inner * Math.min(1, place(percent) / end);
    const values = runs.flatMap((run) => run.latency.flatMap((one) => one.curve.map(([, ms]) => ms)));
    const y = vertical(area, ceiling(values));
    for (const percent of [0, 90, 99, 99.9, 99.99, 99.999])
      svgNode("text", { x: x(percent), y: area.height - 6, "text-anchor": percent ? percent > 99.99 ? "end" : "middle" : "start" }, area.svg, `${percent}%`);
    keys.forEach((key, index) => runs.forEach((run, number) => {
      const one = run.latency.find((found) => `${found.kind} (${found.priority})` === key);
      if (!one) return;
      legendEntry(legend, `${NAMES[number]} ${key}`.trim(), index, number);
      const drawn = one.curve.filter(([percent]) => percent < 100).map(([percent, ms]) => [x(percent), y(ms)]);
      svgNode("path", { class: `line ${number ? "dash" : ""}`, stroke: colour(index), d: path(drawn) }, area.svg);
    }));
  }

  const cursors = [];
  const duration = Math.max(1e-3, ...runs.map((run) => run.duration));
  const loud = (kind) => !kind.startsWith("bot.");

  function timeAxis(area) {
    const x = (at) => PAD.left + area.inner * at / duration;
    for (const at of timeTicks(duration, area.width / 75))
      svgNode("text", { x: x(at), y: area.height - 6, "text-anchor": at ? "middle" : "start" }, area.svg, clock(at));
    return x;
  }
  function follow(area, x, tell) {
    const line = svgNode("line", { class: "cursor", y1: PAD.top, y2: area.height - PAD.bottom, visibility: "hidden" }, area.svg);
    cursors.push((at) => {
      line.setAttribute("visibility", at === null ? "hidden" : "visible");
      if (at !== null) { line.setAttribute("x1", x(at)); line.setAttribute("x2", x(at)); }
      tell(at);
    });
    const move = (event) => {
      const box = area.svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) * area.width / box.width - PAD.left) / area.inner * duration;
      const inside = Math.min(duration, Math.max(0, at));
      cursors.forEach((one) => one(inside));
    };
    area.svg.addEventListener("pointermove", move);
    area.svg.addEventListener("pointerdown", move);
    area.svg.addEventListener("pointerleave", () => cursors.forEach((one) => one(null)));
  }

  function drawEvents() {
    const holder = document.getElementById("events");
    holder.replaceChildren();
    const kinds = [...new Set(runs.flatMap((run) => run.events.map(([, kind]) => kind)))];
    if (!kinds.length) return;
    kinds.sort((a, b) => loud(b) - loud(a) || (a < b ? -1 : 1));
    const figure = element("figure", holder, "chart");
    element("h3", figure, "", "Events");
    const legend = element("div", figure, "legend"), told = element("span", legend, "", "");
    const height = PAD.top + PAD.bottom + 18 * kinds.length, area = frame(figure, height);
    const left = PAD.left;
    PAD.left = 96;
    area.inner = area.width - PAD.left - PAD.right;
    const x = timeAxis(area), inner = area.inner, pad = PAD.left;
    const reach = duration / inner * 6;
    kinds.forEach((kind, row) => {
      const y = PAD.top + 18 * row + 9;
      svgNode("line", { class: "grid", x1: pad, x2: area.width - PAD.right, y1: y, y2: y }, area.svg);
      svgNode("text", { x: pad - 8, y: y + 4, "text-anchor": "end" }, area.svg, kind.replace(/^bot\./, ""));
      runs.forEach((run, number) => {
        const taken = new Set();
        for (const [at, of, text] of run.events) {
          const spot = Math.round(x(at));
          if (of !== kind || taken.has(spot)) continue;
          taken.add(spot);
          const dot = svgNode("circle", { class: "dot", cx: x(at), cy: y + number * 5 - (runs.length - 1) * 2, r: loud(kind) ? 4 : 2.5, opacity: loud(kind) ? 1 : .55 }, area.svg);
          svgNode("title", {}, dot, `${clock(at)} ${text}`);
        }
      });
    });
    const all = runs.flatMap((run, number) => run.events.map((event) => [...event, number]));
    const fixed = (at) => pad + inner * at / duration;
    const line = svgNode("line", { class: "cursor", y1: PAD.top, y2: height - PAD.bottom, visibility: "hidden" }, area.svg);
    cursors.push((at) => {
      line.setAttribute("visibility", at === null ? "hidden" : "visible");
      told.textContent = "";
      if (at === null) return;
      line.setAttribute("x1", fixed(at)); line.setAttribute("x2", fixed(at));
      const near = all.filter(([when]) => Math.abs(when - at) < reach).slice(0, 4);
      told.textContent = clock(at) + near.map(([, kind, text, number]) => ` · ${NAMES[number]} ${kind.replace(/^bot\./, "")} ${text}`).join("");
    });
    area.svg.addEventListener("pointermove", (event) => {
      const box = area.svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) * area.width / box.width - pad) / inner * duration;
      cursors.forEach((one) => one(Math.min(duration, Math.max(0, at))));
    });
    area.svg.addEventListener("pointerleave", () => cursors.forEach((one) => one(null)));
    PAD.left = left;
  }

  function drawLines() {
    const holder = document.getElementById("lines");
    holder.replaceChildren();
    const order = Object.keys(catalogue);
    const rank = (name) => order.includes(name) ? order.indexOf(name) : order.length;
    const charts = [...new Set(runs.flatMap((run) => Object.keys(run.lines)))].sort((a, b) => rank(a) - rank(b));
    if (!charts.length) element("p", holder, "", "No samples were taken.");
    for (const chart of charts) {
      const about = catalogue[chart] || { title: chart, unit: "", says: "" };
      const figure = element("figure", holder, "chart"), title = element("h3", figure, "", `${about.title} `);
      element("span", title, "", about.unit);
      element("p", figure, "says", about.says);
      const legend = element("div", figure, "legend"), area = frame(figure, 170);
      const names = [...new Set(runs.flatMap((run) => Object.keys((run.lines[chart] || { lines: {} }).lines)))];
      const all = runs.flatMap((run) => Object.values((run.lines[chart] || { lines: {} }).lines).flat()).filter((value) => value !== null);
      let most = 0;
      for (const value of all) most = Math.max(most, value);
      const y = vertical(area, ceiling([most])), x = timeAxis(area);
      const drawn = new Set();
      for (const run of runs) for (const [at, kind] of run.events) {
        const spot = Math.round(x(at));
        if (!loud(kind) || drawn.has(spot)) continue;
        drawn.add(spot);
        svgNode("line", { class: "event", x1: x(at), x2: x(at), y1: PAD.top, y2: area.height - PAD.bottom }, area.svg);
      }
      const tells = [];
      names.forEach((name, index) => runs.forEach((run, number) => {
        const found = run.lines[chart], values = found && found.lines[name];
        if (!values) return;
        const told = legendEntry(legend, `${NAMES[number]} ${name}`.trim() + " ", index, number);
        const points = values.map((value, at) => [x(found.t[at]), value === null ? null : y(value)]);
        svgNode("path", { class: `line ${number ? "dash" : ""}`, stroke: colour(index), d: path(points) }, area.svg);
        tells.push((at) => {
          if (at === null) { told.textContent = ""; return; }
          let low = 0, high = found.t.length - 1;
          while (low < high) { const mid = (low + high + 1) >> 1; if (found.t[mid] <= at) low = mid; else high = mid - 1; }
          told.textContent = shown(values[low]);
        });
      }));
      follow(area, x, (at) => tells.forEach((tell) => tell(at)));
    }
  }

  const draw = () => { cursors.length = 0; drawCurve(); drawEvents(); drawLines(); };
  let width = 0;
  const redraw = () => { if (innerWidth !== width) { width = innerWidth; draw(); } };
  addEventListener("resize", redraw);
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  redraw();
})();
