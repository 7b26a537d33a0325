/** What went wrong, for the visitor: one sentence on what happened, one on what to do. */
export class Problem extends Error {
  constructor(what, advice = "") {
    super(what);
    this.name = "Problem";
    this.advice = advice;
  }
}

const CURRENT = "Use a current Firefox, Chrome, Edge or Safari.";

export const noWebAssembly = () =>
  new Problem("This browser cannot run the translator: it has no WebAssembly or no workers.", CURRENT);

export const tooOld = (lacks) => new Problem(`This browser cannot unpack the translator: it lacks ${lacks}.`, CURRENT);

export const noMemory = () =>
  new Problem(
    "The memory of this browser was not enough to translate.",
    "Close other tabs and programs and try again, or use a computer with more memory.",
  );

export const missing = (file, why) =>
  new Problem(
    `The file ${file} could not be loaded (${why}).`,
    "Check the connection and reload. If this is your own copy of the page, copy the whole exported folder, models and litert included.",
  );

export const damaged = (file) =>
  new Problem(
    `The file ${file} is not the one that was exported: its checksum or size differs.`,
    "Reload the page without its cache. If this is your own copy of the page, export again and copy the whole folder.",
  );

export const notNumbers = () =>
  new Problem(
    "For this image the model gave values that are not numbers, so there is nothing to show.",
    "Try another image; if all fail, the model is broken and must be exported again.",
  );

export const notAnImage = (name) =>
  new Problem(
    `${name} cannot be read as an image by this browser.`,
    "It may be damaged, or of a kind that browsers do not know. JPEG, PNG and WebP work everywhere.",
  );

/** Any error as a Problem; what was not foreseen keeps its own text. */
export function problemOf(error) {
  if (error instanceof Problem) {
    return error;
  }
  const text = String(error?.message ?? error);
  if (/out of memory|OOM|could not allocate|allocation fail|enlarge memory|memory access/i.test(text)) {
    return noMemory();
  }
  return new Problem(`The translator failed: ${text}`, `Reload the page and try again. ${CURRENT}`);
}
