// The page of `swapmark mark`. Places are pixels of the original picture, (0, 0) the centre of the
// top left one. A point has a place in `points`, or is missing, or is suggested, or none of these.
"use strict";

const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), pen = canvas.getContext("2d");
const NEAR = 9; // pixels on the screen: what counts as on a point
const image = new Image();
let state = { names: [], colours: [], count: 0 };
let picture = null; // what the server says of the picture shown
let chosen = 0; // the point that a click sets
let view = { scale: 1, x: 0, y: 0 }; // from pixels of the picture, measured from its corner, to the screen
let press = null; // what the pressed pointer does
let loading = true;
let unsaved = false; // whether the last change could not be saved
let saving = Promise.resolve(); // the changes on their way, one after the other
let waiting = 0; // how many they are
const undone = []; // earlier points of pictures, the last at the end
const trail = []; // the pictures that were shown, and where in them we are
let step = -1;

// ---- The server ----

async function ask(path, body) {
  // Kept alive: what is on its way arrives even if the page is closed.
  const options = body ? { method: "PUT", body: JSON.stringify(body), keepalive: true } : {};
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("swapmark mark has ended. What you set is saved. Start it again, and open the new address.");
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.problem);
  return found;
}

function tell(problem) {
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
}

function save() {
  const { index, points, missing } = picture;
  const body = { points: points.slice(), missing: missing.slice() };
  waiting++;
  saving = saving.then(async () => {
    try {
      state = await ask(`points/${index}`, body);
      unsaved = false;
      tell("");
    } catch (error) {
      unsaved = true;
      tell(`Not saved: ${error.message}`);
    }
    waiting--;
    show();
    watch();
  });
  return saving;
}

async function go(index, remember = true) {
  loading = true;
  await saving;
  try {
    const found = await ask(`picture/${index}`);
    state = await ask(`state?index=${index}`);
    if (!found.problem) {
      image.src = `image/${index}`;
      await image.decode();
    }
    picture = found;
    tell(found.problem ? `This picture cannot be used: ${found.problem.replace(/\.$/, "")}. Go on with →.` : "");
    if (remember) trail.splice(++step, Infinity, index);
    history.replaceState(null, "", `#${index + 1}`);
    chosen = Math.max(0, firstUnset(-1));
    seeAll();
    if (state.next !== null) new Image().src = `image/${state.next}`;
  } catch (error) {
    tell(error.message);
  }
  loading = false;
  show();
  watch();
}

// Asks again while the server finds or fits something that concerns the picture shown.
let watching = false;
async function watch() {
  if (watching) return;
  watching = true;
  try {
    while (picture && (picture.busy || state.busy || state.version !== picture.version)) {
      await new Promise((done) => setTimeout(done, 250));
      const { index } = picture;
      const [news, found] = [await ask(`state?index=${index}`), await ask(`picture/${index}`)];
      if (picture.index !== index || loading) continue;
      state = news;
      const { suggested, busy, version } = found;
      Object.assign(picture, { suggested, busy, version });
      show();
    }
  } catch (error) {
    tell(error.message);
  }
  watching = false;
}

window.addEventListener("beforeunload", (event) => {
  if (waiting || unsaved) event.preventDefault(); // the browser asks whether to leave
});

// ---- Points ----

const suggestion = (k) => (picture.points[k] || picture.missing[k] ? null : picture.suggested[k]);
const place = (k) => picture.points[k] || suggestion(k);
const isUnset = (k) => !place(k) && !picture.missing[k];

function firstUnset(after) {
  const count = state.names.length;
  for (let k = 1; k <= count; k++) if (isUnset((after + k + count) % count)) return (after + k + count) % count;
  return -1;
}

function remember() {
  const { index, points, missing } = picture;
  undone.push({ index, points: points.slice(), missing: missing.slice() });
}

function put(k, xy) {
  picture.points[k] = xy && xy.map((value) => Math.round(value * 100) / 100);
  picture.missing[k] = !xy;
}

function change(k, xy) {
  remember();
  put(k, xy);
  const next = firstUnset(k);
  if (next >= 0) chosen = next;
  save();
  show();
}

async function undo() {
  const before = undone.pop();
  if (!before) return;
  if (before.index !== picture.index) await go(before.index);
  const more = Array(state.names.length - before.points.length);
  picture.points = [...before.points, ...more.fill(null)];
  picture.missing = [...before.missing, ...more.fill(false)];
  save();
  show();
}

async function accept() {
  const all = state.names.map((_, k) => k);
  if (picture.problem) return skip();
  if (!all.some((k) => place(k) || picture.missing[k])) return hint("Nothing is set here. → skips the picture.");
  if (all.some((k) => !picture.points[k] && !picture.missing[k])) {
    remember();
    for (const k of all) if (!picture.points[k] && !picture.missing[k]) put(k, suggestion(k));
    save();
  } else if (unsaved) save();
  await forward();
}

async function forward() {
  await saving;
  if (unsaved) return; // the problem stays in sight
  if (step < trail.length - 1) return go(trail[++step], false);
  try {
    const { next } = await ask(`state?index=${picture.index}`);
    if (next === null) hint("All pictures are marked, or were shown. Page ↓ goes through them.");
    else await go(next);
  } catch (error) {
    tell(error.message);
  }
}

const skip = () => forward();
const back = () => step > 0 && go(trail[--step], false);

// ---- The picture ----

const toScreen = ([x, y]) => [view.x + (x + 0.5) * view.scale, view.y + (y + 0.5) * view.scale];
const toPicture = (x, y) => [(x - view.x) / view.scale - 0.5, (y - view.y) / view.scale - 0.5];

function whole() {
  return 0.96 * Math.min(canvas.clientWidth / picture.width, canvas.clientHeight / picture.height);
}

function seeAll() {
  if (!picture?.width) return;
  const scale = whole();
  const [x, y] = [canvas.clientWidth - picture.width * scale, canvas.clientHeight - picture.height * scale];
  view = { scale, x: x / 2, y: y / 2 };
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const scale = Math.min(Math.max(view.scale * factor, whole() / 2), Math.max(40, whole() * 4));
  const by = scale / view.scale;
  view = { scale, x: x - (x - view.x) * by, y: y - (y - view.y) * by };
  draw();
}

function draw() {
  const ratio = devicePixelRatio;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  pen.scale(ratio, ratio);
  if (!picture || picture.problem) return;
  pen.imageSmoothingEnabled = view.scale * picture.width < 3 * image.naturalWidth;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, view.x, view.y, picture.width * view.scale, picture.height * view.scale);
  for (let k = 0; k < state.names.length; k++) if (place(k)) drawPoint(k);
}

function drawPoint(k) {
  const [x, y] = toScreen(place(k));
  const isSet = Boolean(picture.points[k]), colour = state.colours[k];
  const ring = (radius, width, style, dash = []) => {
    pen.beginPath();
    pen.setLineDash(dash);
    pen.arc(x, y, radius, 0, 7);
    pen.lineWidth = width;
    pen.strokeStyle = style;
    pen.stroke();
  };
  if (k === chosen) ring(13, 2, "#fff");
  ring(8, 5, isSet ? "#000c" : "#0009");
  ring(8, 2.5, colour, isSet ? [] : [4.4, 4]);
  pen.setLineDash([]);
  if (isSet) {
    pen.beginPath();
    pen.arc(x, y, 2, 0, 7);
    pen.fillStyle = colour;
    pen.fill();
  }
  pen.font = "600 13px system-ui, sans-serif";
  pen.lineWidth = 3;
  pen.strokeStyle = "#000c";
  pen.fillStyle = isSet ? "#fff" : "#ffffffb0";
  const text = k === chosen ? `${k + 1} ${state.names[k]}` : `${k + 1}`;
  pen.strokeText(text, x + 16, y + 4);
  pen.fillText(text, x + 16, y + 4);
}

function pointAt(x, y) {
  let best = -1, least = NEAR;
  state.names.forEach((_, k) => {
    if (!place(k)) return;
    const [px, py] = toScreen(place(k));
    const distance = Math.hypot(px - x, py - y);
    if (distance < least) [best, least] = [k, distance];
  });
  return best;
}

canvas.addEventListener("pointerdown", (event) => {
  if (loading || !picture || picture.problem) return;
  document.activeElement?.blur();
  canvas.setPointerCapture(event.pointerId);
  const [x, y] = [event.offsetX, event.offsetY];
  const k = event.button === 0 ? pointAt(x, y) : -1;
  press = { k, x, y, button: event.button, moved: false };
  if (k >= 0) {
    const [px, py] = toScreen(place(k));
    Object.assign(press, { dx: px - x, dy: py - y });
    chosen = k;
    show();
  }
});

canvas.addEventListener("pointermove", (event) => {
  const [x, y] = [event.offsetX, event.offsetY];
  if (!press) return void (canvas.style.cursor = picture && !loading && pointAt(x, y) >= 0 ? "grab" : "crosshair");
  if (!press.moved && Math.hypot(x - press.x, y - press.y) < 3) return;
  if (press.k >= 0) {
    if (!press.moved) remember();
    put(press.k, toPicture(x + press.dx, y + press.dy));
    showList();
  } else {
    view.x += x - (press.lastX ?? press.x);
    view.y += y - (press.lastY ?? press.y);
    [press.lastX, press.lastY] = [x, y];
  }
  press.moved = true;
  draw();
});

canvas.addEventListener("pointerup", () => {
  const { k, x, y, button, moved } = press ?? {};
  press = null;
  if (moved && k >= 0) save();
  else if (!moved && k >= 0 && suggestion(k)) change(k, suggestion(k));
  else if (!moved && k < 0 && button === 0) set(x, y);
  show();
});

function set(x, y) {
  const xy = toPicture(x, y);
  const isInside = xy.every((value, axis) => value > -0.5 && value < [picture.width, picture.height][axis] - 0.5);
  if (state.names.length && isInside) change(chosen, xy);
}

canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (picture?.width) zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.offsetX, event.offsetY);
}, { passive: false });
new ResizeObserver(() => { seeAll(); draw(); }).observe(canvas);

// ---- The keys ----

const keys = {
  Enter: accept, " ": accept, ArrowRight: skip, ArrowLeft: back, z: undo, f: () => { seeAll(); draw(); },
  m: () => state.names.length && change(chosen, null),
  PageDown: () => picture.index + 1 < state.count && go(picture.index + 1),
  PageUp: () => picture.index > 0 && go(picture.index - 1),
  Tab: (event) => choose(chosen + (event.shiftKey ? -1 : 1)),
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function choose(k) {
  const count = state.names.length;
  if (count) chosen = (k + count) % count;
  show();
}

function nudge([dx, dy]) {
  const [x, y] = place(chosen) ?? toPicture(canvas.clientWidth / 2, canvas.clientHeight / 2);
  remember();
  put(chosen, [x + dx, y + dy]);
  save();
  show();
}

document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.altKey) return;
  if ((event.ctrlKey || event.metaKey) && event.key !== "z") return;
  const digit = /^\d$/.test(event.key) ? (Number(event.key) + 9) % 10 : -1;
  const isNudge = event.shiftKey && event.key in ARROWS && state.names.length;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!isNudge && digit < 0 && !(key in keys)) return;
  event.preventDefault();
  if (loading || !picture || press) return;
  if (picture.problem && !/Arrow|Page|Enter/.test(key)) return;
  if (isNudge) nudge(ARROWS[event.key]);
  else if (digit >= 0) digit < state.names.length && choose(digit);
  else if (!event.repeat || /[+=-]/.test(key)) keys[key](event);
});

for (const [id, act] of Object.entries({ back, undo, skip, accept })) {
  $(id).addEventListener("click", () => {
    $(id).blur();
    if (!loading && picture) act();
  });
}

// ---- The side ----

$("number").addEventListener("change", () => {
  const wanted = Number($("number").value);
  $("number").blur();
  if (Number.isInteger(wanted) && wanted >= 1 && wanted <= state.count) go(wanted - 1);
  else show();
});

async function name(names) {
  await saving;
  try {
    state = await ask(`names?index=${picture.index}`, { names });
    while (picture.points.length < names.length) {
      picture.points.push(null);
      picture.missing.push(false);
      picture.suggested.push(null);
    }
    chosen = Math.max(0, firstUnset(-1));
    tell("");
  } catch (error) {
    tell(error.message);
  }
  show(true);
  watch();
}

$("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const more = $("new").value.split(",").map((text) => text.trim()).filter(Boolean);
  $("new").value = "";
  if (more.length && picture) name([...state.names, ...more]);
});

document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" && (event.key === "Escape" || (event.key === "Enter" && event.target.id !== "new"))) {
    event.preventDefault();
    event.target.blur();
  }
});

function hint(text) {
  $("hint").textContent = text;
}

function show(anew = false) {
  $("count").textContent = state.count.toLocaleString("en");
  $("marked").textContent = (state.marked ?? 0).toLocaleString("en");
  $("table").textContent = state.table ?? "";
  if (!picture) return;
  $("name").textContent = document.title = picture.name;
  if (document.activeElement !== $("number")) $("number").value = picture.index + 1;
  $("undo").disabled = !undone.length;
  $("back").disabled = step < 1;
  if (!state.names.length) hint("Name your first point in the panel, then click it in the picture.");
  else if (picture.problem) hint("");
  else if (isUnset(chosen)) hint(`Click ${state.names[chosen]}, or press M if it is not to be seen.`);
  else if (state.names.some((_, k) => suggestion(k))) hint("Drag what is wrong. Enter accepts the rest.");
  else if (!state.names.some((_, k) => isUnset(k))) hint("All set. Enter goes on.");
  else hint("");
  showList(anew);
  showReport();
  draw();
}

function showList(anew = false) {
  const list = $("points");
  if (anew || list.children.length !== state.names.length) {
    list.replaceChildren(...state.names.map(row));
  }
  [...list.children].forEach((item, k) => {
    item.classList.toggle("chosen", k === chosen);
    const at = picture.points[k];
    item.querySelector("small").textContent = at ? at.map((value) => value.toFixed(1)).join(", ")
      : picture.missing[k] ? "missing" : suggestion(k) ? "suggested" : "–";
    const field = item.querySelector("input");
    if (document.activeElement !== field) field.value = state.names[k];
  });
}

function row(text, k) {
  const item = document.createElement("li");
  const dot = svg("svg", { class: "dot", viewBox: "0 0 24 24" });
  dot.append(svg("circle", { cx: 12, cy: 12, r: 11, fill: state.colours[k] }));
  const number = svg("text", { x: 12, y: 16.5, "text-anchor": "middle", "font-size": 12, "font-weight": 600 });
  number.textContent = k + 1;
  dot.append(number);
  const field = document.createElement("input");
  Object.assign(field, { value: text, spellcheck: false, ariaLabel: `Name of point ${k + 1}` });
  field.addEventListener("change", () => name(state.names.map((old, j) => (j === k ? field.value : old))));
  item.append(dot, field, document.createElement("small"));
  item.addEventListener("click", () => choose(k));
  return item;
}

function svg(kind, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function showReport() {
  $("report").hidden = !state.report;
  if (!state.report) return;
  const { errors, error, advice } = state.report;
  $("error").textContent = error;
  $("advice").textContent = advice;
  $("curve").toggleAttribute("hidden", errors.length < 2);
  if (errors.length < 2) return;
  const most = Math.max(...errors.map(([, value]) => value)), [first] = errors[0], [last] = errors.at(-1);
  const at = ([count, value]) => [8 + (224 * (count - first)) / (last - first), 45 - (35 * value) / most];
  const [x, y] = at(errors.at(-1));
  const labels = [[8, "start", first], [232, "end", `${last} pictures`]].map(([left, anchor, text]) => {
    const label = svg("text", { x: left, y: 59, "text-anchor": anchor });
    label.textContent = text;
    return label;
  });
  $("curve").replaceChildren(
    svg("polyline", { points: errors.map((entry) => at(entry).join()).join(" ") }),
    svg("circle", { cx: x, cy: y, r: 3 }), ...labels,
  );
}

(async () => {
  try {
    state = await ask("state");
    const wanted = Number(location.hash.slice(1)) - 1;
    await go(wanted >= 0 && wanted < state.count ? wanted : state.index);
    if (!state.names.length) $("new").focus();
  } catch (error) {
    tell(error.message);
  }
})();
