/**
 * Images to the scale of training, and translations back to full size with the image's detail: the steps of
 * cyclegan_tf/images/detail.py on rows of float32 numbers. An image is {values, width, height, channels}, in [-1, 1].
 */

// As in detail.py.
const RADIUS_PX = 2;
const RIDGE = 1e-3;
const [MIN_SHARE, FULL_SHARE] = [0.5, 0.9];
const FLAT = 1e-6;

const cubic = {
  radius: 2,
  at: (x) => (x >= 2 ? 0 : x >= 1 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : (1.5 * x - 2.5) * x * x + 1),
};
const linear = { radius: 1, at: (x) => Math.max(0, 1 - x) };

/** For each new place of a side: the first old place, and the weights of it and those after. */
function taps(length, wanted, kernel) {
  const ratio = length / wanted;
  const scale = Math.max(1, ratio);
  return Array.from({ length: wanted }, (_, index) => {
    const center = (index + 0.5) * ratio;
    const first = Math.max(0, Math.ceil(center - kernel.radius * scale - 0.5));
    const last = Math.min(length - 1, Math.floor(center + kernel.radius * scale - 0.5));
    const weights = [];
    for (let at = first; at <= last; at += 1) {
      weights.push(kernel.at(Math.abs(at + 0.5 - center) / scale));
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/** A row of numbers between rows, by one entry of `taps`. */
function rowBetween({ values, width, channels }, { first, weights }) {
  const length = width * channels;
  const row = new Float32Array(length);
  weights.forEach((weight, index) => {
    const from = (first + index) * length;
    for (let at = 0; at < length; at += 1) {
      row[at] += weight * values[from + at];
    }
  });
  return row;
}

function rowOfWidth(row, channels, columns, result, offset) {
  let to = offset;
  for (const { first, weights } of columns) {
    for (let channel = 0; channel < channels; channel += 1) {
      let sum = 0;
      for (let index = 0; index < weights.length; index += 1) {
        sum += weights[index] * row[(first + index) * channels + channel];
      }
      result[to] = sum;
      to += 1;
    }
  }
}

/** An image at another size. */
function resized(image, width, height, kernel = cubic) {
  const { channels } = image;
  const values = new Float32Array(width * height * channels);
  const columns = taps(image.width, width, kernel);
  taps(image.height, height, kernel).forEach((row, y) => {
    rowOfWidth(rowBetween(image, row), channels, columns, values, y * width * channels);
  });
  return { values, width, height, channels };
}

/** Bytes of a canvas (RGBA), some rows from `top`, as an image of 1 channel (luma) or 3. */
export function imageOf(bytes, width, height, channels) {
  const values = new Float32Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const [r, g, b] = [bytes[4 * pixel], bytes[4 * pixel + 1], bytes[4 * pixel + 2]];
    if (channels === 1) {
      // ITU-R BT.601 in integers, as in training.
      values[pixel] = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) / 127.5 - 1;
    } else {
      values[3 * pixel] = r / 127.5 - 1;
      values[3 * pixel + 1] = g / 127.5 - 1;
      values[3 * pixel + 2] = b / 127.5 - 1;
    }
  }
  return { values, width, height, channels };
}

/** An image at the size that the network is to see; one of that size stays as it is. */
export function reduced(image, width, height) {
  if (image.width === width && image.height === height) {
    return image;
  }
  const result = resized(image, width, height);
  result.values.forEach((value, at) => {
    result.values[at] = Math.min(1, Math.max(-1, value));
  });
  return result;
}

/** Solves A X = B for X; both are arrays of rows and are spent. */
function solved(a, b) {
  const size = a.length;
  for (let pivot = 0; pivot < size; pivot += 1) {
    let best = pivot;
    for (let row = pivot + 1; row < size; row += 1) {
      best = Math.abs(a[row][pivot]) > Math.abs(a[best][pivot]) ? row : best;
    }
    [a[pivot], a[best]] = [a[best], a[pivot]];
    [b[pivot], b[best]] = [b[best], b[pivot]];
    for (let row = 0; row < size; row += 1) {
      const factor = row === pivot ? 0 : a[row][pivot] / a[pivot][pivot];
      if (factor !== 0) {
        a[pivot].forEach((value, column) => (a[row][column] -= factor * value));
        b[pivot].forEach((value, column) => (b[row][column] -= factor * value));
      }
    }
  }
  return b.map((row, index) => row.map((value) => value / a[index][index]));
}

/** Means over squares around each pixel, of what lies within the image. */
function meansAround({ values, width, height, channels }) {
  const result = new Float32Array(values.length);
  const sums = new Float64Array(channels);
  for (let y = 0; y < height; y += 1) {
    const [top, bottom] = [Math.max(0, y - RADIUS_PX), Math.min(height - 1, y + RADIUS_PX)];
    for (let x = 0; x < width; x += 1) {
      const [left, right] = [Math.max(0, x - RADIUS_PX), Math.min(width - 1, x + RADIUS_PX)];
      sums.fill(0);
      for (let row = top; row <= bottom; row += 1) {
        for (let at = (row * width + left) * channels; at < (row * width + right + 1) * channels; at += channels) {
          for (let channel = 0; channel < channels; channel += 1) {
            sums[channel] += values[at + channel];
          }
        }
      }
      const count = (bottom - top + 1) * (right - left + 1);
      for (let channel = 0; channel < channels; channel += 1) {
        result[(y * width + x) * channels + channel] = sums[channel] / count;
      }
    }
  }
  return { values: result, width, height, channels };
}

/**
 * The ridge regression of one pixel, from means, products and squares; `goal` is what it is drawn to. Beside the gains
 * it gives the translation's variance, and what of it is left.
 */
function fitted(moments, at, inputs, all, goal) {
  const mean = (channel) => moments[at + channel];
  const covariance = (i, j) => moments[at + all + i * all + j] - mean(i) * mean(j);
  const rows = Array.from({ length: inputs }, (_, i) => i);
  const outputs = Array.from({ length: all - inputs }, (_, j) => j);
  const gains = solved(
    rows.map((i) => rows.map((j) => covariance(i, j) + (i === j ? RIDGE : 0))),
    rows.map((i) => outputs.map((j) => covariance(i, inputs + j) + (goal ? RIDGE * goal[i][j] : 0))),
  );
  let [variance, explained] = [0, 0];
  for (const j of outputs) {
    variance += moments[at + all + inputs * all + j] - mean(inputs + j) ** 2;
    for (const i of rows) {
      const own = rows.reduce((sum, k) => sum + covariance(i, k) * gains[k][j], 0);
      explained += gains[i][j] * (2 * covariance(i, inputs + j) - own);
    }
  }
  return { gains, variance, left: variance - explained };
}

/** The color of each pixel in both images, and what the regression needs of it. */
function momentsOf(seen, made) {
  const { width, height, channels: inputs } = seen;
  const outputs = made.channels;
  const all = inputs + outputs;
  const channels = all + inputs * all + outputs;
  const values = new Float32Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const from = pixel * channels;
    for (let j = 0; j < all; j += 1) {
      values[from + j] = j < inputs ? seen.values[pixel * inputs + j] : made.values[pixel * outputs + j - inputs];
    }
    for (let i = 0; i < inputs; i += 1) {
      for (let j = 0; j < all; j += 1) {
        values[from + all + i * all + j] = values[from + i] * values[from + j];
      }
    }
    for (let j = 0; j < outputs; j += 1) {
      values[from + all + inputs * all + j] = values[from + inputs + j] ** 2;
    }
  }
  return { values, width, height, channels };
}

/** How the translation's colors follow the input's around each pixel: C * C' channels. */
function localGains(seen, made) {
  const { width, height, channels: inputs } = seen;
  const all = inputs + made.channels;
  const moments = momentsOf(seen, made);
  const { channels } = moments;
  const mean = new Float64Array(channels);
  moments.values.forEach((value, at) => (mean[at % channels] += value / (width * height)));
  const ofAll = fitted(mean, 0, inputs, all, null);
  const unexplained = ofAll.left / (ofAll.variance + FLAT);
  const around = meansAround(moments);
  const gains = new Float32Array(width * height * inputs * made.channels);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const here = fitted(around.values, pixel * channels, inputs, all, ofAll.gains);
    const share = 1 - (here.left + RIDGE * unexplained) / (here.variance + RIDGE);
    const weight = Math.min(1, Math.max(0, (share - MIN_SHARE) / (FULL_SHARE - MIN_SHARE)));
    gains.set(here.gains.flat().map((gain) => gain * weight), pixel * inputs * made.channels);
  }
  return meansAround({ values: gains, width, height, channels: inputs * made.channels });
}

/**
 * A translation at the size of its image, with the image's detail: calls `put(y, row)` with float32 rows of
 * width * C' numbers from the top. `image` is at full size, `seen` what the network saw, `made` what it made of that.
 */
export function detailedRows(image, seen, made, put) {
  const { width, height, channels: inputs } = image;
  const outputs = made.channels;
  const size = [Math.min(seen.width, width), Math.min(seen.height, height)];
  const shrinks = size[0] < seen.width || size[1] < seen.height;
  const [input, output] = shrinks ? [resized(seen, ...size), resized(made, ...size)] : [seen, made];
  const gains = resized(localGains(input, output), width, size[1], linear);
  const colors = [input, output].map((each) => resized(each, width, size[1]));
  const rows = taps(size[1], height, cubic);
  const rowsOfGains = taps(size[1], height, linear);
  for (let y = 0; y < height; y += 1) {
    const [before, row] = colors.map((each) => rowBetween(each, rows[y]));
    const gain = rowBetween(gains, rowsOfGains[y]);
    for (let x = 0; x < width; x += 1) {
      for (let i = 0; i < inputs; i += 1) {
        const lacking = image.values[(y * width + x) * inputs + i] - before[x * inputs + i];
        for (let j = 0; j < outputs; j += 1) {
          row[x * outputs + j] += lacking * gain[(x * inputs + i) * outputs + j];
        }
      }
    }
    put(y, row);
  }
}
