/**
 * The files that the page needs: beside it, on a web server; or packed into it, where the page is one file. A packed one is
 * a script element with the id "file:" and its name, which holds gzip as base64.
 */
import { Problem, missing, tooOld } from "./problems.js";

const packed = (name) => document.getElementById(`file:${name}`);
const isOneFile = () => document.querySelector('script[id^="file:"]') !== null;

/** Bytes of a packed file. */
async function unpacked(name) {
  if (typeof DecompressionStream !== "function") {
    throw tooOld("gzip");
  }
  try {
    const letters = atob(packed(name).textContent);
    const bytes = new Uint8Array(letters.length);
    for (let index = 0; index < letters.length; index += 1) {
      bytes[index] = letters.charCodeAt(index);
    }
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    const advice = "Get it again from where it came from.";
    throw new Problem("This page was cut off or changed on its way.", advice);
  }
}

/** All bytes of a file; `onBytes` is called with how many are there. Throws a Problem that names the file. */
export async function fetchWhole(name, onBytes = () => {}) {
  if (isOneFile()) {
    const bytes = await unpacked(name);
    onBytes(bytes.byteLength);
    return bytes;
  }
  let response;
  try {
    response = await fetch(name);
  } catch (error) {
    throw missing(name, error.message);
  }
  if (!response.ok) {
    throw missing(name, `HTTP ${response.status}`);
  }
  const parts = [];
  let loaded = 0;
  try {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      parts.push(value);
      loaded += value.byteLength;
      onBytes(loaded);
    }
  } catch (error) {
    throw missing(name, error.message);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The worker's address, and the runtime's files as far as they are packed: blobs by their names below `litert/`. */
export async function workerFiles() {
  if (!isOneFile()) {
    return { worker: new URL("worker.js", import.meta.url).href, runtime: {} };
  }
  const runtime = {};
  for (const { id } of document.querySelectorAll('script[id^="file:litert/"]')) {
    const name = id.slice("file:".length);
    const type = name.endsWith(".js") ? "text/javascript" : "application/wasm";
    runtime[name.replace("litert/", "")] = new Blob([await unpacked(name)], { type });
  }
  const worker = new Blob([await unpacked("worker.js")], { type: "text/javascript" });
  return { worker: URL.createObjectURL(worker), runtime };
}
