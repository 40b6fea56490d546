// Reads values under the pointer of a plot, zooms by dragging, and keeps the fleet page fresh.
"use strict";

const LEFT = 58, RIGHT = 12, WIDTH = 920, TOP = 24, BOTTOM = 30, FRESH_MS = 5000;

const readout = document.createElement("div");
readout.className = "readout";
readout.hidden = true;
document.body.append(readout);

function scaleOf(plot) {
  const box = plot.getBoundingClientRect();
  const d = plot.dataset;
  const height = plot.viewBox.baseVal.height;
  const inside = (event) => {
    const px = (event.clientX - box.left) * WIDTH / box.width;
    const py = (event.clientY - box.top) * height / box.height;
    return { px: Math.min(Math.max(px, LEFT), WIDTH - RIGHT), py };
  };
  const x = (px) => +d.x0 + (px - LEFT) / (WIDTH - LEFT - RIGHT) * (d.x1 - d.x0);
  const y = (py) => +d.y0 + (height - BOTTOM - py) / (height - TOP - BOTTOM) * (d.y1 - d.y0);
  return { inside, x, y, d };
}

function said(scale, px, py) {
  const { d } = scale, x = scale.x(px), y = scale.y(py);
  if (+d.time0) {
    const at = new Date(+d.time0 + x * 1000).toISOString().slice(11, 19);
    return `${at} UTC   ${y.toPrecision(4)} ${d.yunit}`;
  }
  const order = +d.order ? `   ${(x / d.order).toFixed(3)} × shaft` : "";
  return `${x.toPrecision(6)} ${d.xunit}${order}\n${y.toPrecision(4)} ${d.yunit}`;
}

function watch(plot) {
  const cursor = plot.querySelector(".cursor");
  let from = null, shade = null;
  plot.addEventListener("pointermove", (event) => {
    const scale = scaleOf(plot), { px, py } = scale.inside(event);
    cursor.setAttribute("x1", px);
    cursor.setAttribute("x2", px);
    cursor.style.opacity = 0.5;
    readout.textContent = said(scale, px, py);
    readout.hidden = false;
    readout.style.left = `${Math.min(event.clientX + 14, innerWidth - readout.offsetWidth - 8)}px`;
    readout.style.top = `${event.clientY + 14}px`;
    if (shade) {
      shade.setAttribute("x", Math.min(from, px));
      shade.setAttribute("width", Math.abs(px - from));
    }
  });
  plot.addEventListener("pointerleave", () => {
    cursor.style.opacity = 0;
    readout.hidden = true;
  });
  plot.addEventListener("pointerdown", (event) => {
    from = scaleOf(plot).inside(event).px;
    shade = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    shade.setAttribute("class", "box");
    shade.setAttribute("y", TOP);
    shade.setAttribute("height", plot.viewBox.baseVal.height - TOP - BOTTOM);
    plot.append(shade);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointerup", (event) => {
    const scale = scaleOf(plot), to = scale.inside(event).px, start = from;
    shade?.remove();
    shade = from = null;
    if (start !== null && Math.abs(to - start) > 8) {
      zoom(plot.dataset.name, scale.x(Math.min(start, to)), scale.x(Math.max(start, to)));
    }
  });
  plot.addEventListener("dblclick", () => zoom(plot.dataset.name));
}

// Zooming asks the server for the plot again: its curves keep every peak at any scale.
async function zoom(name, lo, hi) {
  const url = new URL(location.href);
  if (lo === undefined) url.searchParams.delete(name);
  else url.searchParams.set(name, `${lo.toPrecision(8)},${hi.toPrecision(8)}`);
  history.replaceState(null, "", url);
  await renew();
}

let asked = 0;
async function renew() {
  const turn = ++asked;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (turn !== asked) return;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  readout.hidden = true;
  start();
}

function start() {
  document.querySelectorAll("svg.plot").forEach(watch);
}

start();
if (location.pathname === "/") {
  setInterval(() => { if (!document.hidden) renew().catch(() => {}); }, FRESH_MS);
}
