// Apache-2.0, part of styleT2I
// The model: seeds to latents, sentences to directions, attributes to steps, latents to images. Vectors are
// Float32Arrays; latents ws are [num_ws * w_dim].
"use strict";

async function unpackedFile(name) {
  const text = window.STYLET2I_FILES[name];
  if (text === undefined) throw new Error(`${name} is in neither weights.js nor runtime.js; copy all files`);
  const packed = (await fetch(`data:application/octet-stream;base64,${text}`)).body;
  return new Uint8Array(await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

async function openRuntime() {
  if (typeof WebAssembly !== "object" || typeof DecompressionStream !== "function") {
    throw new Error("this browser is too old: it lacks WebAssembly or DecompressionStream");
  }
  const code = await unpackedFile("ort.mjs"); // by way of a blob, since files may not import files
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const ort = await import(address);
  URL.revokeObjectURL(address);
  ort.env.wasm.numThreads = 1; // more need a server that isolates the page
  ort.env.wasm.wasmBinary = (await unpackedFile("ort.wasm")).buffer;
  return ort;
}

const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const dot = (one, other) => one.reduce((sum, value, i) => sum + value * other[i], 0);

// target += factor * values
function addTo(target, values, factor = 1) {
  for (let i = 0; i < target.length; i++) target[i] += factor * values[i];
}

class Model {
  constructor(ort, manifest) {
    this.ort = ort;
    this.manifest = manifest;
    this.sessions = {};
    this.sentences = new Map(); // text -> its features
    const { tokenizer, phrases, unclear, attributes } = manifest;
    this.attributes = attributes || {};
    this.tokenizer = tokenizer?.kind === "words" ? new Tokenizer(tokenizer) : null;
    this.phrases = new Phrases(phrases || {}, unclear || []);
    this.readsSentences = Boolean(this.tokenizer && manifest.graphs.t2d);
  }

  // Opened when first used.
  session(name) {
    const { file } = this.manifest.graphs[name];
    this.sessions[name] ??= unpackedFile(file).then((data) => this.ort.InferenceSession.create(data));
    return this.sessions[name];
  }

  async run(name, inputs) {
    const { result } = await (await this.session(name)).run(inputs);
    return result.data;
  }

  floats(values, shape) {
    return new this.ort.Tensor("float32", Float32Array.from(values), shape);
  }

  // ws of a seed.
  latents(seed, psi) {
    const { z_dim: size } = this.manifest;
    return this.run("mapping", { z: this.floats(randomNormal(seed, size), [1, size]), psi: this.floats([psi], [1]) });
  }

  // Features of a sentence.
  features(text) {
    if (!this.sentences.has(text)) {
      const ids = this.tokenizer.encode(text);
      this.sentences.set(text, this.run("text", { ids: new this.ort.Tensor("int64", ids, [1, ids.length]) }));
    }
    return this.sentences.get(text);
  }

  // The directions of attributes at a latent w, as {name: values}, each of length 1 beside its own length.
  async directions(w, names) {
    if (!names.length) return {};
    const features = names.flatMap((name) => this.attributes[name].features);
    const num = names.length;
    const all = await this.run("a2d", {
      w: this.floats(names.flatMap(() => [...w]), [num, w.length]),
      features: this.floats(features, [num, features.length / num]),
    });
    const size = all.length / num;
    return Object.fromEntries(names.map((name, i) => [name, all.slice(i * size, (i + 1) * size)]));
  }

  // The sentence's direction s at ws, and what its adjustment (StyleT2I, CVPR 2022, sec. 5.3) helped: a step of
  // length 1 along every attribute asked for whose direction does not go with s. asked: {name: boolean}.
  async sentenceDirection(ws, text, asked) {
    const w = ws.slice(0, this.manifest.w_dim);
    const features = await this.features(text);
    const told = this.floats(features, [1, features.length]);
    const s = await this.run("t2d", { w: this.floats(w, [1, w.length]), features: told });
    const adjusted = Float32Array.from(s);
    const helped = [];
    for (const [name, a] of Object.entries(await this.directions(w, Object.keys(asked)))) {
      const sign = asked[name] ? 1 : -1;
      const length = Math.max(norm(a), 1e-8);
      if ((sign * dot(a, s)) / (length * Math.max(norm(s), 1e-8)) > 0) continue;
      addTo(adjusted, a, sign / length);
      helped.push(name);
    }
    return { s: adjusted, helped };
  }

  // ws moved along attributes; strengths {name: number}: 1 turns an attribute on, -1 off.
  async edited(ws, strengths) {
    const { num_ws: num, w_dim: size } = this.manifest;
    const names = Object.keys(strengths).filter((name) => strengths[name] !== 0);
    if (!names.length) return ws;
    const moved = Float32Array.from(ws);
    const mean = new Float32Array(size);
    for (let i = 0; i < num; i++) addTo(mean, ws.subarray(i * size, (i + 1) * size), 1 / num);
    for (const [name, a] of Object.entries(await this.directions(mean, names))) {
      const step = this.attributes[name].strengths[strengths[name] > 0 ? "true" : "false"];
      addTo(moved, a, (strengths[name] * step) / Math.max(norm(a), 1e-8));
    }
    return moved;
  }

  // ImageData of ws.
  async image(ws) {
    const { num_ws: num, w_dim: size, resolution } = this.manifest;
    const values = await this.run("synthesis", { ws: this.floats(ws, [1, num, size]) });
    const image = new ImageData(resolution, resolution);
    const area = resolution * resolution;
    for (let i = 0; i < area; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round((values[c * area + i] + 1) * 127.5); // clamped
      image.data[4 * i + 3] = 255;
    }
    return image;
  }
}
