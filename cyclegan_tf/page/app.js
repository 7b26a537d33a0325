/** The page: takes images in, shows what the engine makes of them, and says what is going on. */
import { Camera } from "./camera.js";
import { Compare } from "./compare.js";
import { LitertEngine, ServerEngine, loadManifest } from "./engines.js";
import { besideEachOther, decode, pngOf } from "./images.js";
import { Problem, problemOf } from "./problems.js";

const find = (id) => document.getElementById(id);
const compare = new Compare(find("compare"));
const camera = new Camera(find("camera"), (file) => open(file));

let manifest;
let engine;
let model;
let source = null;
let result = null;
// Of several images opened and translations asked for, only the last one counts.
let opened = 0;
let latest = 0;
// An image that came before the engine was known.
let early = null;

function say(text) {
  find("status").textContent = text;
}

function showProblem(error) {
  const problem = problemOf(error);
  if (!(error instanceof Problem)) {
    console.warn(error);
  }
  const lines = [problem.message, problem.advice].filter(Boolean).map((text, index) => {
    const line = document.createElement("p");
    line.className = index ? "" : "what";
    line.textContent = text;
    return line;
  });
  find("problem").replaceChildren(...lines);
  find("problem").hidden = false;
  find("loading").hidden = true;
  say("");
}

function showProgress(progress) {
  find("loading").hidden = progress === null;
  if (progress === null) {
    return;
  }
  const { loaded, total } = progress;
  const bar = find("progress");
  if (loaded < total) {
    bar.value = loaded / total;
    find("progress-text").textContent = `Loading the model: ${(loaded / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`;
  } else {
    bar.removeAttribute("value");
    find("progress-text").textContent = "Starting the model";
  }
}

/** Gets the model ready, with the word that it is; called before there is an image. */
async function warmUp() {
  const job = ++latest;
  say("Loading the model.");
  try {
    await engine.prepare(model);
    if (job === latest) {
      say("Ready.");
    }
  } catch (error) {
    if (job === latest) {
      showProblem(error);
    }
  }
}

/** Translates a file, the first of so many. */
async function open(file, count = 1) {
  const turn = ++opened;
  if (!engine) {
    early = [file, count];
    return;
  }
  find("problem").hidden = true;
  try {
    const bitmap = await decode(file);
    if (turn === opened) {
      source = { file, bitmap, name: file.name || "image", count };
      await translate();
    }
  } catch (error) {
    if (turn === opened) {
      showProblem(error);
    }
  }
}

function allowSaving(isAllowed) {
  find("save").disabled = !isAllowed;
  find("save-both").disabled = !isAllowed;
}

async function translate() {
  const job = ++latest;
  const { bitmap, name, count } = source;
  result = null;
  allowSaving(false);
  find("problem").hidden = true;
  find("welcome").hidden = true;
  find("stage").classList.remove("empty");
  find("stage").setAttribute("aria-busy", "true");
  compare.busy = true;
  try {
    const original = engine.original(model, bitmap);
    compare.preview(original, name);
    say(`Translating ${name}.`);
    const made = await engine.translate(model, source, original);
    if (job !== latest) {
      return;
    }
    const others = count > 1 ? ` The first of ${count} images: one at a time here.` : "";
    const words = `Translated in ${made.seconds.toFixed(2)} s by ${made.by}. ${sizes(bitmap, made.sent)}${others}`;
    result = { ...made, words, name: `${name.replace(/\.[^.]*$/, "")}_${model.name}.png` };
    if (made.before !== original) {
      compare.preview(made.before, name);
    }
    compare.reveal(made.after, name);
    allowSaving(true);
    say(words);
  } catch (error) {
    if (job === latest) {
      showProblem(error);
    }
  } finally {
    if (job === latest) {
      find("loading").hidden = true;
      find("stage").removeAttribute("aria-busy");
      compare.busy = false;
    }
  }
}

function sizes(bitmap, { width, height, lossy, why, seen }) {
  const given = `${bitmap.width} × ${bitmap.height} px`;
  if (bitmap.width === width && bitmap.height === height) {
    if (seen && (seen[0] !== width || seen[1] !== height)) {
      return `${given}, seen by the model at ${seen[0]} × ${seen[1]}.`;
    }
    return lossy ? `${given}, compressed again: ${why}.` : `${given}.`;
  }
  return `Reduced from ${given} to ${width} × ${height}: ${why}.`;
}

function saveAs(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  say(`Saved as ${name}. ${result.words}`);
}

async function save() {
  saveAs(result.name, result.png ?? (await pngOf(result.after)));
}

/** Before and after in one image, to show others. */
async function saveBoth() {
  const both = besideEachOther(result.before, result.after);
  saveAs(result.name.replace(/\.png$/, "_both.png"), await pngOf(both));
}

/** The first image among what was dropped or pasted. */
function openFrom(transfer, how) {
  const files = [...(transfer?.files ?? [])];
  const file = files.find((each) => each.type.startsWith("image/")) ?? files[0];
  if (file) {
    open(file, files.length);
  } else if (how === "dropped") {
    showProblem(new Problem("What was dropped is not a file.", "Save the image first, then drop the file."));
  }
}

function listenForDrops() {
  const stage = find("stage");
  const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.toggle("over", carriesFile(event));
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) {
      stage.classList.remove("over");
    }
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    openFrom(event.dataTransfer, "dropped");
  });
  addEventListener("paste", (event) => openFrom(event.clipboardData, "pasted"));
  stage.addEventListener("click", () => stage.classList.contains("empty") && find("file").click());
}

function listenForButtons() {
  find("file").addEventListener("change", ({ target }) => {
    if (target.files.length) {
      open(target.files[0]);
    }
    target.value = "";
  });
  find("use-camera").addEventListener("click", () => {
    find("problem").hidden = true;
    camera.open().catch(showProblem);
  });
  find("save").addEventListener("click", () => save().catch(showProblem));
  find("save-both").addEventListener("click", () => saveBoth().catch(showProblem));
}

function offerDirections() {
  model = manifest.models[0];
  if (manifest.models.length === 1) {
    find("subtitle").textContent = model.range ? `${model.label} (${model.range})` : model.label;
    find("subtitle").hidden = false;
    return;
  }
  const labels = manifest.models.map((each) => each.label);
  const areUnique = new Set(labels).size === labels.length;
  const choices = manifest.models.map((each, index) => {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "direction", value: each.name, checked: index === 0 });
    radio.addEventListener("change", () => {
      model = each;
      find("problem").hidden = true;
      (source ? translate() : warmUp());
    });
    const text = document.createElement("span");
    text.textContent = areUnique ? each.label : `${each.label} (${each.name})`;
    text.title = each.range ?? "";
    label.append(radio, text);
    return label;
  });
  find("directions").append(...choices);
  find("directions").hidden = false;
}

function introduce() {
  document.title = manifest.title;
  find("title").textContent = manifest.title;
  const isServer = manifest.engine === "server";
  find("privacy").textContent = isServer
    ? `Your images are sent to the server of this page (${location.host}) and translated there.`
    : "Your images stay in this browser: they are translated here, and nothing is uploaded.";
  find("runtime-note").hidden = isServer;
  find("runtime").textContent = `LiteRT.js ${manifest.runtime?.version ?? ""}`.trim();
}

async function begin() {
  find("not-started").remove();
  find("main").hidden = false;
  listenForDrops();
  listenForButtons();
  try {
    manifest = await loadManifest(() => say("The server is loading its models."));
    introduce();
    offerDirections();
    engine = manifest.engine === "server" ? new ServerEngine(manifest.limits) : new LitertEngine(manifest, showProgress);
  } catch (error) {
    showProblem(error);
    return;
  }
  if (early) {
    await open(...early);
    return;
  }
  // Whoever saves data is asked for megabytes only once there is an image.
  if (!navigator.connection?.saveData) {
    await warmUp();
  }
}

begin();
