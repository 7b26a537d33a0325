/**
 * Runs LiteRT.js away from the page's own thread, so that the page answers while an image is translated.
 * A classic worker, because LiteRT.js loads its program with importScripts().
 *
 * Takes {id, kind: "load", name, bytes, side, channels, sizes, files} and {id, kind: "run", name, input}; answers
 * {id, ...result} or {id, fault: {kind, text}}; reports {progress: {loaded, total}} of its own download. `files` are
 * blobs of the runtime's files by their names in the folder litert/, where that does not lie beside this one.
 */
"use strict";

const models = new Map();
let runtime = null;
let gpuFault = "";

/** Addresses of blobs are made here: of a page from a disk, a worker may open none that the page has made. */
function addressOf(file, files) {
  return files[file] ? URL.createObjectURL(files[file]) : new URL(`litert/${file}`, self.location.href).href;
}

class Fault extends Error {
  constructor(kind, text) {
    super(text);
    this.kind = kind;
  }
}

/** Downloads and compiles at once, telling how far it is; says the type itself, as not every server knows it. */
async function instantiate(address, file, total, imports) {
  const response = await fetch(address).catch((error) => {
    throw new Fault("missing", `litert/wasm/${file}: ${error.message}`);
  });
  if (!response.ok) {
    throw new Fault("missing", `litert/wasm/${file}: HTTP ${response.status}`);
  }
  let loaded = 0;
  const counting = new TransformStream({
    transform(chunk, controller) {
      loaded += chunk.byteLength;
      self.postMessage({ progress: { loaded, total } });
      controller.enqueue(chunk);
    },
  });
  const counted = new Response(response.body.pipeThrough(counting), { headers: { "Content-Type": "application/wasm" } });
  return WebAssembly.instantiateStreaming(counted, imports);
}

async function start(sizes, files) {
  const litert = await import(addressOf("index.js", files)).catch((error) => {
    throw new Fault("missing", `litert/index.js: ${error.message}`);
  });
  const relaxed = await litert.supportsFeature("relaxedSimd");
  const threads = Boolean(self.crossOriginIsolated) && relaxed && (await litert.supportsFeature("threads"));
  const stem = `litert_wasm${threads ? "_threaded" : relaxed ? "" : "_compat"}_internal`;
  let fail;
  const failed = new Promise((_, reject) => {
    fail = reject;
  });
  const program = `wasm/${stem}.js`;
  const wasm = addressOf(`wasm/${stem}.wasm`, files);
  // LiteRT.js takes what ends in .js as its program, anything else as the folder of its builds.
  const path = files[program] ? `${addressOf(program, files)}#.js` : addressOf("wasm/", files);
  // Emscripten's settings. Its notes go to the debug log: "error" there is nothing but the program's stderr.
  self.Module = {
    locateFile: (file) => addressOf(`wasm/${file}`, files),
    mainScriptUrlOrBlob: addressOf(program, files),
    print: (text) => console.debug(text),
    printErr: (text) => console.debug(text),
    instantiateWasm: (imports, done) => {
      instantiate(wasm, `${stem}.wasm`, sizes[`${stem}.wasm`] ?? 0, imports).then((made) => done(made.instance, made.module), fail);
      return {};
    },
  };
  const loading = litert.loadLiteRt(path, { threads }).catch((error) => {
    throw error.name === "NetworkError" ? new Fault("missing", `litert/${program}: ${error.message}`) : error;
  });
  const instance = await Promise.race([loading, failed]);
  const device = instance.getWebGpuDevice();
  device?.lost.then((info) => {
    gpuFault = `the graphics device was lost (${info.message || info.reason})`;
  });
  return { litert, device, threads: threads ? instance.liteRtWasm.getThreadCount() : 1 };
}

async function compiled(bytes) {
  const { litert, device } = runtime;
  if (device && !gpuFault) {
    try {
      // Half precision is too coarse for the sums of instance normalization.
      const model = await litert.loadAndCompile(bytes, { accelerator: "webgpu", gpuOptions: { precision: "fp32" } });
      // Part on the GPU, part not, would need LiteRT.js's other build.
      if (model.options.accelerator === "webgpu" && model.isFullyAccelerated) {
        return { model, on: "webgpu", bytes };
      }
      model.delete();
      gpuFault = "it cannot run all of this model";
    } catch (error) {
      gpuFault = String(error?.message ?? error);
    }
  }
  return { model: await litert.loadAndCompile(bytes, { accelerator: "wasm" }), on: "wasm" };
}

async function load({ name, bytes, side, channels, sizes, files }) {
  runtime ??= await start(sizes, files);
  const entry = await compiled(bytes);
  const shape = [...entry.model.getInputDetails()[0].shape];
  if (shape.join() !== [1, side, side, channels].join()) {
    entry.model.delete();
    throw new Fault("mismatch", `it takes (${shape.join(", ")})`);
  }
  models.set(name, { ...entry, shape });
  return {};
}

async function once({ model, shape, on }, input) {
  const tensor = new runtime.litert.Tensor(input, shape);
  let outputs = [];
  try {
    const lost = on === "webgpu" ? [runtime.device.lost.then(() => Promise.reject(new Error("device lost")))] : [];
    outputs = await Promise.race([model.run([tensor]), ...lost]);
    const values = await Promise.race([outputs[0].data(), ...lost]);
    if (!values.every(Number.isFinite)) {
      throw new Fault("nan", "not a number");
    }
    return values;
  } finally {
    [tensor, ...outputs].forEach((each) => each.delete());
  }
}

async function run({ name, input }) {
  let entry = models.get(name);
  let values;
  let began = performance.now();
  try {
    values = await once(entry, input);
  } catch (error) {
    if (entry.on !== "webgpu") {
      throw error;
    }
    gpuFault ||= String(error?.message ?? error);
    entry = { ...(await compiled(entry.bytes)), shape: entry.shape };
    models.set(name, entry);
    began = performance.now();
    values = await once(entry, input);
  }
  const seconds = (performance.now() - began) / 1000;
  return { values, seconds, on: entry.on, threads: runtime.threads, gpuFault };
}

async function handle({ data }) {
  try {
    const result = await { load, run }[data.kind](data);
    self.postMessage({ id: data.id, ...result }, result.values ? [result.values.buffer] : []);
  } catch (error) {
    self.postMessage({ id: data.id, fault: { kind: error?.kind ?? "other", text: String(error?.message ?? error) } });
  }
}

// One after the other: LiteRT.js is not made for two calls at once.
let queue = Promise.resolve();
self.addEventListener("message", (event) => {
  queue = queue.then(() => handle(event));
});
