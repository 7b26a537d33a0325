/**
 * What translates: LiteRT.js in this browser, or a server. Both have
 *   prepare(model)                     is done when `model` can translate
 *   original(model, bitmap)            the canvas to compare with
 *   translate(model, source, original) {before: canvas, after: canvas, png: Blob or null, seconds, by, sent}
 * where source is {file, bitmap}, model an entry of models.json, before the original unless that turned out too large, and
 * sent what was translated: {width, height, lossy, seen: the model's own size, why it is not the image as given}. What goes
 * wrong is a Problem.
 */
import { reduced } from "./detail.js";
import { fetchWhole, workerFiles } from "./files.js";
import { canvasOf, cornerOf, decode, fitted, numbersOf, onCanvas, scaledTo, tensorOf } from "./images.js";
import { uploadOf, whole, within } from "./images.js";
import { Problem, damaged, missing, noWebAssembly, notNumbers, problemOf } from "./problems.js";

// What the page shows of a server's images; saved is the whole.
const SHOWN_SIDE_PX = 2048;

const ASK_AGAIN_MS = 500;

/** models.json with all models; `wait` is called while a server still loads some. */
export async function loadManifest(wait) {
  let manifest = await readManifest();
  while (manifest.loading === true) {
    wait();
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    manifest = await readManifest();
  }
  if (!manifest.models.length) {
    throw new Problem("There is no model here.", "Export one, then reload the page.");
  }
  return manifest;
}

/** models.json, checked as far as the page depends on it. */
async function readManifest() {
  const bytes = await fetchWhole("models.json");
  let manifest = {};
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Reported below.
  }
  if (!["litert", "server"].includes(manifest.engine) || !Array.isArray(manifest.models)) {
    throw new Problem("The file models.json is damaged.", "Export the page again and copy the whole folder.");
  }
  return manifest;
}

/** Whether these are the bytes that were exported. Browsers compute checksums on https:// and localhost only. */
async function isExported(bytes, model) {
  if (bytes.byteLength !== model.bytes) {
    return false;
  }
  if (!globalThis.crypto?.subtle) {
    return true;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === model.sha256;
}

/** LiteRT.js in a worker; `report` is called with the progress of loading: {loaded, total} in bytes, null when it is over. */
export class LitertEngine {
  constructor(manifest, report) {
    this.sizes = manifest.runtime?.bytes ?? {};
    this.report = report;
    this.wanted = null;
    this.worker = null;
    this.waiting = new Map();
    this.prepared = new Map();
    this.count = 0;
    this.onProgress = () => {};
    this.isRunning = false;
    this.files = null;
  }

  original(model, bitmap) {
    return whole(bitmap);
  }

  prepare(model) {
    this.wanted = model;
    if (!this.prepared.has(model.name)) {
      const preparing = this.#prepare(model)
        .catch((error) => {
          this.prepared.delete(model.name);
          throw error;
        })
        .finally(() => this.wanted === model && this.report(null));
      this.prepared.set(model.name, preparing);
    }
    return this.prepared.get(model.name);
  }

  async translate(model, source, original) {
    await this.prepare(model);
    const { size_px: side, output_channels: outputs, aspect } = model;
    const { width, height } = original;
    const image = numbersOf(original, model.input_channels);
    const seen = reduced(image, ...scaledTo(width, height, side, aspect));
    const input = tensorOf(seen, side);
    const answer = await this.#ask({ kind: "run", name: model.name, input }, [input.buffer], model);
    const made = cornerOf(answer.values, side, outputs, seen.width, seen.height);
    const after = canvasOf(image, seen, made);
    if (answer.gpuFault) {
      console.debug(`WebGPU is not used: ${answer.gpuFault}`);
    }
    const threads = answer.threads === 1 ? "1 thread" : `${answer.threads} threads`;
    const by = answer.on === "webgpu" ? "WebGPU" : `WebAssembly, ${threads}`;
    const sent = { width, height, lossy: false, seen: [seen.width, seen.height], why: "a page takes no more" };
    return { before: original, after, png: null, seconds: answer.seconds, by, sent };
  }

  async #prepare(model) {
    if (typeof WebAssembly !== "object" || typeof Worker !== "function") {
      throw noWebAssembly();
    }
    const parts = { model: 0, runtime: 0, total: model.bytes };
    const tell = () => this.wanted === model && this.report({ loaded: parts.model + parts.runtime, total: parts.total });
    if (!this.isRunning) {
      const usual = this.sizes["litert_wasm_internal.wasm"] ?? 0;
      parts.total += usual;
      this.onProgress = ({ loaded, total }) => {
        parts.runtime = loaded;
        parts.total = model.bytes + (total || usual);
        tell();
      };
    }
    const bytes = await fetchWhole(model.file, (loaded) => {
      parts.model = loaded;
      tell();
    });
    if (!(await isExported(bytes, model))) {
      throw damaged(model.file);
    }
    this.files ??= await workerFiles();
    const { name, size_px: side, input_channels: channels } = model;
    const wanted = { kind: "load", name, bytes, side, channels, sizes: this.sizes, files: this.files.runtime };
    await this.#ask(wanted, [bytes.buffer], model);
    this.isRunning = true;
  }

  #ask(message, transfer, model) {
    this.worker ??= this.#started();
    this.count += 1;
    const id = this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, model });
      this.worker.postMessage({ ...message, id }, transfer);
    });
  }

  #started() {
    const worker = new Worker(this.files.worker, { name: "translator" });
    worker.addEventListener("message", ({ data }) => {
      if (data.progress) {
        this.onProgress(data.progress);
        return;
      }
      const { resolve, reject, model } = this.waiting.get(data.id) ?? {};
      this.waiting.delete(data.id);
      if (!data.fault) {
        resolve?.(data);
        return;
      }
      const problem = this.#explained(data.fault, model);
      reject?.(problem);
      if (data.fault.kind === "other" || data.fault.kind === "missing") {
        this.#abandon(problem);
      }
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#abandon(event.message ? problemOf(event.message) : missing("worker.js", "it did not start"));
    });
    return worker;
  }

  #explained({ kind, text }, model) {
    if (kind === "missing") {
      const [file, ...why] = text.split(": ");
      return missing(file, why.join(": "));
    }
    if (kind === "mismatch") {
      const advice = "Export the page again and copy the whole folder.";
      return new Problem(`The model ${model.file} does not fit models.json: ${text}.`, advice);
    }
    return kind === "nan" ? notNumbers() : problemOf(text);
  }

  /** After such a failure nothing is known of the worker's memory: the next image begins with a fresh one. */
  #abandon(error) {
    this.worker?.terminate();
    this.worker = null;
    this.isRunning = false;
    this.prepared.clear();
    for (const { reject } of this.waiting.values()) {
      reject(error);
    }
    this.waiting.clear();
  }
}

function base64Of(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}

function predictBody(base64) {
  return JSON.stringify({ signature_name: "image_bytes", instances: [{ b64: base64 }] });
}

/** TensorFlow Serving's REST API, where this page comes from; `limits` are those in models.json, where it has some. */
export class ServerEngine {
  constructor(limits) {
    const limit = (name) => (limits?.[name] > 0 ? limits[name] : Infinity);
    // Base64 writes 3 bytes as 4 letters.
    const bytes = 3 * Math.floor((limit("max_body_bytes") - predictBody("").length) / 4);
    this.limits = { pixels: limit("max_pixels"), side: limit("max_side"), bytes };
  }

  async prepare() {}

  original(model, bitmap) {
    const [width, height] = within(bitmap.width, bitmap.height, this.limits);
    return onCanvas(bitmap, ...fitted(width, height, SHOWN_SIDE_PX));
  }

  async translate(model, { file, bitmap }, original) {
    const { blob, ...sent } = await uploadOf(file, bitmap, this.limits);
    const [width, height] = fitted(sent.width, sent.height, SHOWN_SIDE_PX);
    const isAsShown = original.width === width && original.height === height;
    const before = isAsShown ? original : onCanvas(bitmap, width, height);
    const body = predictBody(await base64Of(blob));
    const began = performance.now();
    const answer = await this.#post(model, body);
    const seconds = (performance.now() - began) / 1000;
    let png;
    let translated;
    try {
      png = new Blob([Uint8Array.from(atob(answer), (letter) => letter.charCodeAt(0))], { type: "image/png" });
      translated = await decode(png);
    } catch {
      throw new Problem("The server’s answer is not an image.", "Tell whoever runs the server.");
    }
    const after = onCanvas(translated, ...fitted(translated.width, translated.height, SHOWN_SIDE_PX));
    const why = "this server takes no larger images";
    return { before, after, png, seconds, by: "the server", sent: { ...sent, why } };
  }

  async #post(model, body) {
    let response;
    let answer = {};
    try {
      response = await fetch(`../v1/models/${encodeURIComponent(model.name)}:predict`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body,
      });
    } catch (error) {
      throw new Problem(`The server does not answer (${error.message}).`, "Check that it runs, then try again.");
    }
    try {
      answer = await response.json();
    } catch {
      // Reported below, with the status.
    }
    const png = answer.predictions?.[0]?.b64;
    if (response.ok && png) {
      return png;
    }
    const status = response.ok ? "its answer holds no image" : `HTTP ${response.status}`;
    const why = typeof answer.error === "string" ? answer.error : status;
    if (response.status === 429 || response.status === 503) {
      throw new Problem(`The server is busy: ${why}`, "Try again in a moment.");
    }
    throw new Problem(`The server did not translate this image: ${why}`, "Try another image, or a smaller one.");
  }
}
