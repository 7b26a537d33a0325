/** Images between files, canvases and the model's numbers. */
import { detailedRows, imageOf } from "./detail.js";
import { Problem, notAnImage } from "./problems.js";

// What a page translates is held as float32 numbers: 12 bytes for each pixel, twice.
const MAX_RESULT_PX = 2 ** 23;
// iOS refuses canvases of more pixels than 4096 x 4096.
const MAX_SIDE_PX = 4096;
const JPEG_QUALITY = 0.95;
// Smaller images take more bytes for each pixel, so the next try aims below what is left.
const AIMED_SHARE = 0.9;

/** A file's image as it is displayed: rotation by EXIF applied. Throws a Problem when it cannot be decoded. */
export async function decode(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw notAnImage(file.name || "This file");
  }
}

/**
 * Width and height with the longer side of `side` px. The shape is kept, or changed as training changed its images, which
 * were `aspect` times as wide as high, to squares.
 */
export function scaledTo(width, height, side, aspect = 1) {
  const high = height * aspect;
  const scale = side / Math.max(width, high);
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(high * scale))];
}

/** The same; never more than given. */
export function fitted(width, height, side) {
  return scaledTo(width, height, Math.min(side, Math.max(width, height)));
}

/**
 * The largest width and height, the shape kept, of at most `pixels` in all and `side` on the longer side; those given if
 * they fit. Only strips of one pixel can lose their shape.
 */
export function within(width, height, { pixels, side }) {
  const [long, short] = [Math.max(width, height), Math.min(width, height)];
  if (long <= side && long * short <= pixels) {
    return [width, height];
  }
  const area = Math.min(pixels, MAX_SIDE_PX ** 2);
  const longer = Math.max(1, Math.floor(Math.min(long, side, area, Math.sqrt((area * long) / short))));
  const shorter = Math.max(1, Math.min(Math.round((longer * short) / long), Math.floor(area / longer)));
  return width < height ? [shorter, longer] : [longer, shorter];
}

function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  // Read back often: this keeps the pixels out of the GPU, whose rounding differs from card to card.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) {
    throw new Problem("This browser gave no canvas to draw on.", "Close other tabs and try again.");
  }
  context.imageSmoothingQuality = "high";
  return [canvas, context];
}

/** The bitmap on white at width x height. Large ones are halved step by step: one big step leaves jagged edges. */
export function onCanvas(bitmap, width, height) {
  const halvings = [];
  for (let w = bitmap.width / 2, h = bitmap.height / 2; w >= width && h >= height; w /= 2, h /= 2) {
    if (Math.max(w, h) <= MAX_SIDE_PX) {
      halvings.push([Math.max(1, Math.round(w)), Math.max(1, Math.round(h))]);
    }
  }
  let source = bitmap;
  for (const [w, h] of [...halvings, [width, height]]) {
    const [canvas, context] = blank(w, h);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, w, h);
    context.drawImage(source, 0, 0, w, h);
    source = canvas;
  }
  return source;
}

/** Position in a row of `length` that is mirrored at its end again and again, the last one not repeated. */
export function reflected(index, length) {
  const period = Math.max(1, 2 * length - 2);
  const at = index % period;
  return at < length ? at : period - at;
}

/** The bitmap on a canvas at its own size, smaller only where that would be too much for a page. */
export function whole(bitmap) {
  const limits = { pixels: MAX_RESULT_PX, side: Infinity };
  return onCanvas(bitmap, ...within(bitmap.width, bitmap.height, limits));
}

/** A canvas as an image of numbers, see detail.js. */
export function numbersOf(canvas, channels) {
  const { width, height } = canvas;
  return imageOf(canvas.getContext("2d").getImageData(0, 0, width, height).data, width, height, channels);
}

/** An image as float32 (1, side, side, channels), extended by mirroring at right and bottom. */
export function tensorOf({ values, width, height, channels }, side) {
  const tensor = new Float32Array(side * side * channels);
  let at = 0;
  for (let y = 0; y < side; y += 1) {
    const row = width * reflected(y, height);
    for (let x = 0; x < side; x += 1) {
      const from = channels * (row + reflected(x, width));
      for (let channel = 0; channel < channels; channel += 1) {
        tensor[at] = values[from + channel];
        at += 1;
      }
    }
  }
  return tensor;
}

/** The corner of float32 (1, side, side, channels) as an image of width x height. */
export function cornerOf(tensor, side, channels, width, height) {
  const values = new Float32Array(width * height * channels);
  for (let y = 0; y < height; y += 1) {
    const from = channels * side * y;
    values.set(tensor.subarray(from, from + channels * width), channels * width * y);
  }
  return { values, width, height, channels };
}

/**
 * What a model made, on a canvas at the size of its image and with the image's detail; one channel is gray.
 * `image` is at full size, `seen` what the model saw, `made` what it made of that.
 */
export function canvasOf(image, seen, made) {
  const { width, height } = image;
  const [canvas, context] = blank(width, height);
  const pixels = context.createImageData(width, height);
  const { channels } = made;
  const put = (y, row) => {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1) {
        const value = row[channels * x + (channels === 1 ? 0 : c)];
        pixels.data[4 * (y * width + x) + c] = Math.round(Math.min(1, Math.max(-1, value)) * 127.5 + 127.5);
      }
      pixels.data[4 * (y * width + x) + 3] = 255;
    }
  };
  if (seen === image) {
    for (let y = 0; y < height; y += 1) {
      put(y, made.values.subarray(y * width * channels, (y + 1) * width * channels));
    }
  } else {
    detailedRows(image, seen, made, put);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function packed(canvas, kind) {
  const failed = new Problem(`The image could not be packed as a ${kind.toUpperCase()}.`);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(failed)), `image/${kind}`, JPEG_QUALITY);
  });
}

/** A canvas as the blob of a PNG. */
export function pngOf(canvas) {
  return packed(canvas, "png");
}

/** Two canvases beside each other, both as high as the higher one. */
export function besideEachOther(left, right) {
  const height = Math.max(left.height, right.height);
  const widths = [left, right].map((each) => Math.round((each.width * height) / each.height));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: widths[0] + widths[1], height });
  const context = canvas.getContext("2d");
  context.drawImage(left, 0, 0, widths[0], height);
  context.drawImage(right, widths[0], 0, widths[1], height);
  return canvas;
}

async function kindOf(file) {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  const starts = (...magic) => magic.every((byte, index) => head[index] === byte);
  return starts(0xff, 0xd8, 0xff) ? "jpeg" : starts(0x89, 0x50, 0x4e, 0x47) ? "png" : "other";
}

/**
 * What a server takes: the file itself if it is a JPEG or a PNG within the limits {pixels, side, bytes}, else what is
 * shown, made as small as they demand. PNG, but for a JPEG whose PNG has too many bytes: that is a JPEG again, `lossy`.
 * Gives {blob, width, height, lossy}; throws a Problem when not even one pixel fits.
 */
export async function uploadOf(file, bitmap, limits) {
  const kind = await kindOf(file);
  let [width, height] = within(bitmap.width, bitmap.height, limits);
  if (kind !== "other" && width === bitmap.width && height === bitmap.height && file.size <= limits.bytes) {
    return { blob: file, width, height, lossy: false };
  }
  for (let lossy = false; ; ) {
    const blob = await packed(onCanvas(bitmap, width, height), lossy ? "jpeg" : "png");
    if (blob.size <= limits.bytes) {
      return { blob, width, height, lossy };
    }
    if (kind === "jpeg" && !lossy) {
      lossy = true;
    } else if (width * height > 1) {
      const pixels = Math.max(1, Math.floor((AIMED_SHARE * width * height * limits.bytes) / blob.size));
      [width, height] = within(bitmap.width, bitmap.height, { pixels, side: limits.side });
    } else {
      throw new Problem("The server takes no files as large as an image.", "Tell whoever runs the server.");
    }
  }
}
