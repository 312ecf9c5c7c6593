// Answers the raw probes in a folder, python -m compare probes DIR --format raw:  node answer.mjs DIR
//
// Typed arrays lie in memory as the machine has it: it has to be little-endian.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Conv3x3, Dense, MaxPool2, Network, crossEntropy, crossEntropyBackward, softmax } from './cnn.mjs';

const [root] = process.argv.slice(2);
if (!root) {
  console.error('usage: node answer.mjs DIR');
  process.exit(2);
}
const manifest = JSON.parse(readFileSync(join(root, 'manifest.json'), 'utf8'));
const TYPES = { int32: Int32Array, float32: Float32Array, float64: Float64Array };

function given(folder, name) {
  const path = `${folder}/given/${name}.bin`;
  const bytes = new Uint8Array(readFileSync(join(root, path)));
  return new TYPES[manifest.files[path].dtype](bytes.buffer);
}

/** Writes arrays and numbers by name, in the precision of the case. */
function answer({ folder, dtype }, mode, answers) {
  for (const [name, value] of Object.entries(answers)) {
    const array = typeof value === 'number' ? TYPES[dtype].of(value) : value;
    writeFileSync(join(root, folder, mode, `${name}.bin`), array);
  }
}

function sizesOf({ H, W, C, F, padding }) {
  return { height: H, width: W, channels: C, filters: F, padding };
}

function networkOf(about) {
  const names = ['conv_weight', 'dense_weight', 'dense_bias'];
  return new Network(sizesOf(about), Object.fromEntries(names.map((name) => [name, given(about.folder, name)])));
}

/** Each stage on what is given, whatever the stage before it makes. */
function answerAlone(about, images, labels) {
  const give = (name) => given(about.folder, name);
  const conv = new Conv3x3(give('conv_weight'), sizesOf(about));
  const pool = new MaxPool2({ rows: conv.rows, columns: conv.columns, filters: about.F });
  const dense = new Dense(give('dense_weight'), give('dense_bias'));
  const logits = give('logits');
  const probabilities = softmax(logits, about.K);
  answer(about, 'alone', {
    conv: conv.forward(images),
    pool: pool.forward(give('conv')),
    logits: dense.forward(give('pool')),
    probabilities,
    loss: crossEntropy(logits, labels),
    d_logits: crossEntropyBackward(probabilities, labels, give('up_loss')[0]),
    d_pool: dense.backward(give('up_logits')),
    d_dense_weight: dense.dWeight,
    d_dense_bias: dense.dBias,
    d_conv: pool.backward(give('up_pool')),
    d_images: conv.backward(give('up_conv')),
    d_conv_weight: conv.dWeight,
  });
}

function answerRun(about, images, labels) {
  const network = networkOf(about);
  const found = network.forward(images, labels);
  answer(about, 'run', { ...found, predict: found.probabilities, kept_images: images });
  answer(about, 'run', network.backward(found.probabilities, labels));
  const prefixed = (prefix) =>
    Object.fromEntries(Object.entries(network.weights).map(([name, value]) => [prefix + name, value]));
  answer(about, 'run', prefixed('kept_'));
  network.step(manifest.learning_rate);
  answer(about, 'run', { step_loss: found.loss, ...prefixed('step_') });
}

function concatenated(arrays) {
  const whole = new arrays[0].constructor(arrays.length * arrays[0].length);
  arrays.forEach((array, i) => whole.set(array, i * array.length));
  return whole;
}

/** Trains a batch a step, and tells the loss before each and the weights at the start and after each. */
function answerPath(about, images, labels) {
  const network = networkOf(about);
  const losses = [];
  const states = [network.weights];
  for (let step = 0; step < about.steps; step++) {
    const batch = (array) => {
      const size = array.length / about.steps;
      return array.subarray(step * size, (step + 1) * size);
    };
    const { probabilities, loss } = network.forward(batch(images), batch(labels));
    network.backward(probabilities, batch(labels));
    network.step(manifest.learning_rate);
    losses.push(loss);
    states.push(network.weights);
  }
  const stacked = Object.keys(states[0]).map((name) => [name, concatenated(states.map((state) => state[name]))]);
  answer(about, 'path', { loss: TYPES[about.dtype].from(losses), ...Object.fromEntries(stacked) });
}

for (const about of manifest.cases) {
  const images = given(about.folder, 'images');
  const labels = given(about.folder, 'labels');
  if (about.steps) {
    answerPath(about, images, labels);
  } else {
    answerAlone(about, images, labels);
    answerRun(about, images, labels);
  }
}
console.log(`${manifest.cases.length} cases answered`);
