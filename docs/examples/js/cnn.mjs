// One small network: 3x3 convolution, 2x2 max-pool, dense layer, softmax and cross-entropy, trained by SGD.
//
// Arrays are flat typed arrays, the last axis runs fastest: images (n, h, w, c), conv (n, y, x, f), pool (n, p, q, f),
// logits (n, k). Layers work in the precision of what they are given: Float32Array in, Float32Array out.
// dX is the gradient of the loss with respect to X.

export class Conv3x3 {
  /** weight: (3, 3, channels, filters). */
  constructor(weight, { height, width, channels, filters, padding = 'valid' }) {
    const border = padding === 'same' ? 1 : 0;
    Object.assign(this, { weight, height, width, channels, filters, border });
    this.rows = height + 2 * border - 2;
    this.columns = width + 2 * border - 2;
  }

  /** Calls visit(at, from, tap) for each output pixel and each pixel that it sees: offsets into all three arrays. */
  eachTap(count, visit) {
    const { height, width, channels, filters, border, rows, columns } = this;
    for (let n = 0, at = 0; n < count; n++) {
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < columns; x++, at += filters) {
          for (let i = 0; i < 3; i++) {
            const row = y + i - border;
            if (row < 0 || row >= height) continue;
            for (let j = 0; j < 3; j++) {
              const column = x + j - border;
              if (column < 0 || column >= width) continue;
              visit(at, ((n * height + row) * width + column) * channels, (i * 3 + j) * channels * filters);
            }
          }
        }
      }
    }
  }

  forward(images) {
    const { weight, channels, filters } = this;
    const count = images.length / (this.height * this.width * channels);
    const out = new images.constructor(count * this.rows * this.columns * filters);
    this.eachTap(count, (at, from, tap) => {
      for (let f = 0; f < filters; f++) {
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += images[from + c] * weight[tap + c * filters + f];
        out[at + f] += sum;
      }
    });
    this.images = images;
    return out;
  }

  /** Returns dImages, and leaves dWeight. */
  backward(dOut) {
    const { images, weight, channels, filters } = this;
    const dImages = new images.constructor(images.length);
    const dWeight = new weight.constructor(weight.length);
    this.eachTap(dOut.length / (this.rows * this.columns * filters), (at, from, tap) => {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let f = 0; f < filters; f++) {
          sum += dOut[at + f] * weight[tap + c * filters + f];
          dWeight[tap + c * filters + f] += dOut[at + f] * images[from + c];
        }
        dImages[from + c] += sum;
      }
    });
    this.dWeight = dWeight;
    return dImages;
  }
}

export class MaxPool2 {
  constructor({ rows, columns, filters }) {
    Object.assign(this, { rows, columns, filters });
  }

  /** An odd last row or column is left out; of equal values the first in row order wins. */
  forward(x) {
    const { rows, columns, filters } = this;
    const count = x.length / (rows * columns * filters);
    const [below, right] = [columns * filters, filters];
    const winners = [];
    for (let n = 0; n < count; n++) {
      for (let p = 0; p + 1 < rows; p += 2) {
        for (let q = 0; q + 1 < columns; q += 2) {
          for (let f = 0; f < filters; f++) {
            const first = ((n * rows + p) * columns + q) * filters + f;
            const corners = [first, first + right, first + below, first + below + right];
            winners.push(corners.reduce((best, corner) => (x[corner] > x[best] ? corner : best)));
          }
        }
      }
    }
    this.winners = winners;
    this.inputLength = x.length;
    return x.constructor.from(winners, (winner) => x[winner]);
  }

  backward(dOut) {
    const dx = new dOut.constructor(this.inputLength);
    this.winners.forEach((winner, i) => {
      dx[winner] = dOut[i];
    });
    return dx;
  }
}

export class Dense {
  /** weight: (inputs, classes), bias: (classes). */
  constructor(weight, bias) {
    Object.assign(this, { weight, bias, classes: bias.length, inputs: weight.length / bias.length });
  }

  forward(x) {
    const { weight, bias, classes, inputs } = this;
    const out = new x.constructor((x.length / inputs) * classes);
    for (let at = 0, from = 0; at < out.length; at += classes, from += inputs) {
      for (let k = 0; k < classes; k++) {
        let sum = 0;
        for (let i = 0; i < inputs; i++) sum += x[from + i] * weight[i * classes + k];
        out[at + k] = sum + bias[k];
      }
    }
    this.x = x;
    return out;
  }

  /** Returns dx, and leaves dWeight and dBias. */
  backward(dOut) {
    const { x, weight, classes, inputs } = this;
    const dx = new x.constructor(x.length);
    this.dWeight = new weight.constructor(weight.length);
    this.dBias = new weight.constructor(classes);
    for (let at = 0, from = 0; at < dOut.length; at += classes, from += inputs) {
      for (let i = 0; i < inputs; i++) {
        let sum = 0;
        for (let k = 0; k < classes; k++) {
          sum += dOut[at + k] * weight[i * classes + k];
          this.dWeight[i * classes + k] += x[from + i] * dOut[at + k];
        }
        dx[from + i] = sum;
      }
      for (let k = 0; k < classes; k++) this.dBias[k] += dOut[at + k];
    }
    return dx;
  }
}

/** The rows of a (n, classes) array, as views of it. */
const rowsOf = (array, classes) =>
  Array.from({ length: array.length / classes }, (_, n) => array.subarray(n * classes, (n + 1) * classes));

/** The largest of a row, and the sum of exp of how far the others lie below it: exp(1e5) would be infinite. */
const expSum = (row) => {
  const most = Math.max(...row);
  return [most, row.reduce((sum, z) => sum + Math.exp(z - most), 0)];
};

export function softmax(logits, classes) {
  const out = new logits.constructor(logits.length);
  rowsOf(logits, classes).forEach((row, n) => {
    const [most, sum] = expSum(row);
    out.set(row.map((z) => Math.exp(z - most) / sum), n * classes);
  });
  return out;
}

/** Mean over the batch of -ln(probability of the label). */
export function crossEntropy(logits, labels) {
  const rows = rowsOf(logits, logits.length / labels.length);
  const losses = rows.map((row, n) => {
    const [most, sum] = expSum(row);
    return Math.log(sum) - (row[labels[n]] - most);
  });
  return losses.reduce((sum, loss) => sum + loss) / labels.length;
}

/** dLogits, given the gradient with respect to the loss itself. */
export function crossEntropyBackward(probabilities, labels, dLoss = 1) {
  const classes = probabilities.length / labels.length;
  return probabilities.map((p, i) => {
    const wanted = i % classes === labels[Math.floor(i / classes)] ? 1 : 0;
    return (dLoss * (p - wanted)) / labels.length;
  });
}

export class Network {
  /** sizes: { height, width, channels, filters, padding }; weights: { conv_weight, dense_weight, dense_bias }. */
  constructor(sizes, { conv_weight, dense_weight, dense_bias }) {
    this.conv = new Conv3x3(conv_weight, sizes);
    this.pool = new MaxPool2({ rows: this.conv.rows, columns: this.conv.columns, filters: sizes.filters });
    this.dense = new Dense(dense_weight, dense_bias);
  }

  get weights() {
    return { conv_weight: this.conv.weight, dense_weight: this.dense.weight, dense_bias: this.dense.bias };
  }

  forward(images, labels) {
    const conv = this.conv.forward(images);
    const pool = this.pool.forward(conv);
    const logits = this.dense.forward(pool);
    const probabilities = softmax(logits, this.dense.classes);
    return { conv, pool, logits, probabilities, loss: crossEntropy(logits, labels) };
  }

  backward(probabilities, labels) {
    const d_logits = crossEntropyBackward(probabilities, labels);
    const d_pool = this.dense.backward(d_logits);
    const d_conv = this.pool.backward(d_pool);
    const d_images = this.conv.backward(d_conv);
    return {
      d_logits,
      d_pool,
      d_conv,
      d_images,
      d_conv_weight: this.conv.dWeight,
      d_dense_weight: this.dense.dWeight,
      d_dense_bias: this.dense.dBias,
    };
  }

  /** One step of SGD along the gradients of the last backward pass. */
  step(rate) {
    this.conv.weight = this.conv.weight.map((w, i) => w - rate * this.conv.dWeight[i]);
    this.dense.weight = this.dense.weight.map((w, i) => w - rate * this.dense.dWeight[i]);
    this.dense.bias = this.dense.bias.map((b, i) => b - rate * this.dense.dBias[i]);
  }
}
