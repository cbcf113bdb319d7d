// Apache-2.0, part of styleT2I
// The page: what is asked for, drawn one request after the other.
"use strict";

const EXAMPLES = ["he is wearing lipstick", "an old woman with glasses", "she is smiling and has black hair"];
const element = (id) => document.getElementById(id);
const sideOf = (name, value) => model.attributes[name][value ? "phrase" : "opposite"];
let model;
let asked = 0; // requests so far
let isDrawing = false;
const cached = {}; // latents and sentence of the last drawing, by what they follow from

function sliders() {
  return [...element("sliders").querySelectorAll("input")];
}

function request() {
  const strengths = Object.fromEntries(sliders().map((slider) => [slider.name, Number(slider.value)]));
  const text = element("text").value.trim().replace(/\s+/g, " ");
  const [seed, psi, adjust] = [element("seed").value, Number(element("psi").value), element("adjust").checked];
  return { seed, psi, text, adjust, strengths };
}

function note(lines, isProblem = false) {
  const paragraphs = lines.map((line) => Object.assign(document.createElement("p"), { textContent: line }));
  if (isProblem) paragraphs.forEach((paragraph) => paragraph.classList.add("problem"));
  element("notes").replaceChildren(...paragraphs);
}

const hint = (near) => (near ? ` (did you mean “${near}”?)` : "");
const spelt = (pairs) => pairs.map(([word, near]) => `“${word}”${hint(near)}`).join(", ");

// What is read in a text: {problem} or {asked, lines}.
function understood(text) {
  const { asked: named, unclear } = model.phrases.read(text);
  const unknown = model.tokenizer.unknown(text);
  if (!plainWords(text).length) return { problem: "There are no words in the sentence." };
  if (unknown.length && !Object.keys(named).length && !unclear) {
    return { problem: `Nothing in the sentence is understood: ${spelt(unknown)}.` };
  }
  const excess = model.tokenizer.overlong(text);
  if (excess) return { problem: `The sentence is ${excess} words too long for this model; shorten it.` };
  const lines = unknown.length ? [`Not known, and ignored: ${spelt(unknown)}.`] : [];
  if (unclear) lines.push(`Beside “${unclear}” the phrases do not tell what is meant: the sentence alone decides.`);
  return { asked: named, lines };
}

async function cachedOr(kind, key, make) {
  const name = JSON.stringify(key);
  if (cached[kind]?.name !== name) cached[kind] = { name, value: await make() };
  return cached[kind].value;
}

async function drawnLatents({ seed, psi, text, adjust }) {
  const ws = await cachedOr("face", [seed, psi], () => model.latents(seed, psi));
  if (!text || !model.readsSentences) {
    note([]);
    return { before: ws, after: ws };
  }
  const { problem, asked: named, lines } = understood(text);
  if (problem) {
    note([problem], true);
    return { before: ws, after: ws };
  }
  const wanted = adjust && model.manifest.graphs.a2d ? named : {};
  const key = [seed, psi, text, wanted];
  const { s, helped } = await cachedOr("sentence", key, () => model.sentenceDirection(ws, text, wanted));
  const sides = (names) => names.map((name) => sideOf(name, named[name])).join(", ");
  if (helped.length) lines.unshift(`Helped: ${sides(helped)}.`);
  if (Object.keys(named).length) lines.unshift(`Asked for: ${sides(Object.keys(named))}.`);
  note(lines);
  const after = Float32Array.from(ws);
  addTo(after, s);
  return { before: ws, after };
}

async function draw(wish) {
  const { before, after } = await drawnLatents(wish);
  const moved = await model.edited(after, wish.strengths);
  const first = await cachedOr("image", [wish.seed, wish.psi], () => model.image(before));
  const edits = Object.entries(wish.strengths).filter(([, value]) => value);
  show("before", first, `Face of seed ${wish.seed}`);
  const label = [`Face of seed ${wish.seed}`, wish.text, ...edits.map((edit) => edit.join(" "))];
  show("after", moved === before ? first : await model.image(moved), label.filter(Boolean).join("; "));
}

function show(id, image, label) {
  const canvas = element(id);
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.setAttribute("aria-label", label);
}

function setState(state, status = "") {
  document.documentElement.dataset.state = state;
  element("status").textContent = status;
  element("status").classList.toggle("problem", state === "failed");
}

// Draws what is asked for now; what is asked for meanwhile follows, and only the newest of it.
async function redraw() {
  asked += 1;
  if (isDrawing || !model) return;
  isDrawing = true;
  document.documentElement.dataset.state = "drawing";
  try {
    for (let answered = 0; answered !== asked; ) {
      answered = asked;
      const wish = request();
      const start = performance.now();
      if (!/^\d+$/.test(wish.seed) || Number(wish.seed) > Number.MAX_SAFE_INTEGER) {
        setState("ready", "A seed is a whole number from 0 on.");
        continue;
      }
      await draw(wish);
      setState("ready", `Drawn in ${Math.round(performance.now() - start)} ms.`);
    }
  } catch (error) {
    setState("failed", `Drawing failed: ${error.message}`);
  } finally {
    isDrawing = false;
  }
}

function addSlider(name, { phrase, opposite }) {
  const [row, label, slider, value] = ["div", "label", "input", "output"].map((tag) => document.createElement(tag));
  row.className = "slider";
  label.textContent = phrase;
  label.htmlFor = slider.id = `slider-${name}`;
  Object.assign(slider, { type: "range", name, min: -2, max: 2, step: 0.1, value: 0 });
  slider.title = `−1: ${opposite}; 1: ${phrase}`;
  value.htmlFor = slider.id;
  value.textContent = "0";
  slider.addEventListener("input", () => {
    turnOffRivals(name, Number(slider.value));
    redraw();
  });
  row.append(label, slider, value);
  element("sliders").append(row);
}

// Of attributes that exclude each other one is turned on at a time.
function turnOffRivals(name, strength) {
  const groups = (model.manifest.exclusive || []).filter((group) => group.includes(name));
  for (const slider of sliders()) {
    const isRival = slider.name !== name && groups.some((group) => group.includes(slider.name));
    if (strength > 0 && isRival && Number(slider.value) > 0) slider.value = 0;
  }
  sliders().forEach(showValue);
}

function showValue(slider) {
  slider.parentElement.querySelector("output").textContent = slider.value;
}

function download() {
  const link = document.createElement("a");
  link.download = `seed${element("seed").value.padStart(4, "0")}.png`;
  link.href = element("after").toDataURL("image/png");
  link.click();
}

function connect() {
  element("controls").addEventListener("submit", (event) => {
    event.preventDefault();
    redraw();
  });
  element("text").addEventListener("change", redraw);
  element("adjust").addEventListener("change", redraw);
  element("seed").addEventListener("change", redraw);
  element("psi").addEventListener("input", () => {
    element("psi-value").textContent = element("psi").value;
    redraw();
  });
  element("another").addEventListener("click", () => {
    element("seed").value = Math.floor(Math.random() * 2 ** 31);
    redraw();
  });
  element("download").addEventListener("click", download);
  element("reset").addEventListener("click", () => {
    for (const slider of sliders()) slider.value = 0;
    sliders().forEach(showValue);
    redraw();
  });
}

function addExamples() {
  for (const text of EXAMPLES.filter((example) => !model.tokenizer.unknown(example).length)) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    button.addEventListener("click", () => {
      element("text").value = text;
      redraw();
    });
    element("examples").append(button);
  }
}

async function start() {
  const manifest = window.STYLET2I_MODEL;
  if (!manifest || !window.STYLET2I_FILES) throw new Error("weights.js or runtime.js is missing; copy all files");
  connect();
  model = new Model(await openRuntime(), manifest);
  const movable = Object.entries(model.attributes).filter(([, one]) => one.strengths);
  movable.forEach(([name, one]) => addSlider(name, one));
  element("attributes").hidden = !movable.length;
  element("wish").hidden = !model.readsSentences;
  if (model.readsSentences) addExamples();
  await redraw();
  performance.mark("first-face");
  const seconds = (performance.now() / 1000).toFixed(1);
  const { name, resolution } = manifest;
  element("about").textContent = `Model ${name}, ${resolution} pixels; first face after ${seconds} s.`;
  for (const graph of Object.keys(manifest.graphs)) model.session(graph).catch(() => {}); // told when it is used
}

start().catch((error) => setState("failed", `This page cannot run: ${error.message}`));
