// Usage: node examples/models/ort.mjs MODEL [OPTION...]
// Runs an ONNX model with ONNX Runtime on one thread, to have outputs and times to compare with.
//
//   --input NAME=FILE.npy   a tensor to run on (several times), or FOLDER with NAME.npy files
//   --shape NAME=1x3x48x48  the extents of an input that gets random values; open extents are 1 otherwise
//   --fill NAME=VALUE       one value for all its elements
//   --range LOW,HIGH        of random elements, uniform; -1,1. Integers and booleans are 0 unless given by --fill
//   --seed N                of random elements
//   --save-inputs FOLDER    writes the inputs as NAME.npy
//   --output FOLDER         writes the outputs as NAME.npy; both as lacuna-run names files (--input, --expect)
//   --time N                prints the median time of N runs
//   --threads T             1 unless given
//   --optimize LEVEL        disabled, basic, extended or all (the default)
//
// Needs the npm package onnxruntime-node, here or in build/models (examples/models/fetch.sh --ort).
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';
import {parseArgs} from 'node:util';
import {fileURLToPath} from 'node:url';

function fail(message) {
  console.error(`ort.mjs: ${message}`);
  process.exit(1);
}

function loadOrt() {
  const here = path.dirname(fileURLToPath(import.meta.url));
  for (const folder of [path.resolve(here, '../../build/models'), here, process.cwd()]) {
    try {
      return createRequire(path.join(folder, 'x.js'))('onnxruntime-node');
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return fail('no onnxruntime-node; examples/models/fetch.sh --ort installs it');
}

// Element types: ONNX Runtime's name, NumPy's, the array that holds elements.
const types = [
  ['float32', '<f4', Float32Array], ['float64', '<f8', Float64Array], ['float16', '<f2', Uint16Array],
  ['int64', '<i8', BigInt64Array], ['uint64', '<u8', BigUint64Array], ['int32', '<i4', Int32Array],
  ['uint32', '<u4', Uint32Array], ['int16', '<i2', Int16Array], ['uint16', '<u2', Uint16Array],
  ['int8', '|i1', Int8Array], ['uint8', '|u1', Uint8Array], ['bool', '|b1', Uint8Array],
];
const typeNamed = (name) => types.find((type) => type[0] === name) ?? fail(`no tensors of ${name} here`);

const fileStem = (name) => name.replace(/[^A-Za-z0-9_.-]/g, '_').replace(/^\./, '_');

function writeNpy(file, tensor) {
  const shape = tensor.dims.join(', ') + (tensor.dims.length === 1 ? ',' : '');
  let header = `{'descr': '${typeNamed(tensor.type)[1]}', 'fortran_order': False, 'shape': (${shape}), }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  start.writeUInt16LE(header.length, 8);
  const {buffer, byteOffset, byteLength} = tensor.data;
  fs.writeFileSync(file, Buffer.concat([start, Buffer.from(header), Buffer.from(buffer, byteOffset, byteLength)]));
}

function readNpy(ort, file) {
  const bytes = fs.readFileSync(file);
  if (bytes.toString('latin1', 0, 6) !== '\x93NUMPY') fail(`${file} is no .npy`);
  const start = bytes[6] === 1 ? 10 : 12;
  const end = start + (bytes[6] === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8));
  const header = bytes.toString('latin1', start, end);
  const [, descr] = /'descr': *'([^']+)'/.exec(header);
  const type = types.find((known) => known[1].slice(1) === descr.slice(1) && descr[0] !== '>');
  if (!type || !/'fortran_order': *False/.test(header)) fail(`${file}: ${descr} or its order is not read here`);
  const dims = (/'shape': *\(([^)]*)\)/.exec(header)[1].match(/\d+/g) ?? []).map(Number);
  const data = bytes.buffer.slice(bytes.byteOffset + end, bytes.byteOffset + bytes.length);
  return new ort.Tensor(type[0], new type[2](data), dims);
}

// The nearest half to a finite number that halves reach; halves below 2^-14 become 0.
function toHalf(value) {
  if (Math.abs(value) < 2 ** -14) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  return (value < 0 ? 0x8000 : 0) + ((exponent + 14) << 10) + Math.round(Math.abs(value) / 2 ** (exponent - 10));
}

// Uniform in [0, 1), the same everywhere: mulberry32.
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function makeTensor(ort, {type, dims, fill, range: [low, high], random}) {
  const data = new (typeNamed(type)[2])(dims.reduce((a, b) => a * b, 1));
  const isFloat = type.startsWith('float');
  for (let i = 0; i < data.length; ++i) {
    const value = fill ?? (isFloat ? low + random() * (high - low) : 0);
    data[i] = type.endsWith('int64') ? BigInt(value) : type === 'float16' ? toHalf(value) : value;
  }
  return new ort.Tensor(type, data, dims);
}

const usage = 'usage: node ort.mjs MODEL [--input NAME=FILE.npy] [--shape NAME=1x3x8x8] [--output FOLDER] [--time N]';
const text = {type: 'string'}, texts = {type: 'string', multiple: true, default: []};
let parsed;
try {
  parsed = parseArgs({
    allowPositionals: true,
    options: {input: texts, shape: texts, fill: texts, range: {...text, default: '-1,1'}, seed: {...text, default: '1'},
              'save-inputs': text, output: text, time: text, threads: {...text, default: '1'},
              optimize: {...text, default: 'all'}},
  });
} catch (error) {
  fail(`${error.message}\n${usage}`);
}
const {values, positionals} = parsed;
if (positionals.length !== 1) fail(usage);

// NAME=VALUE options as a map; names may hold '='.
const named = (options) => Object.fromEntries(options.map((option) => {
  const at = option.lastIndexOf('=');
  return [option.slice(0, at), option.slice(at + 1)];
}));
const shapes = named(values.shape), fills = named(values.fill);
const files = named(values.input.filter((option) => option.includes('=')));
const folders = values.input.filter((option) => !option.includes('='));

const ort = loadOrt();
const session = await ort.InferenceSession.create(positionals[0], {
  intraOpNumThreads: Number(values.threads), interOpNumThreads: 1, graphOptimizationLevel: values.optimize,
  logSeverityLevel: 3,
}).catch((error) => fail(error.message));
for (const name of [...Object.keys(shapes), ...Object.keys(fills), ...Object.keys(files)]) {
  if (!session.inputNames.includes(name)) fail(`no input ${name}; there are: ${session.inputNames.join(', ')}`);
}

const random = generator(Number(values.seed));
const range = values.range.split(',').map(Number);
const describe = (name, tensor) => `${name} ${tensor.type} ${tensor.dims.join('x') || 'scalar'}`;
const feeds = {};
for (const {name, type, shape} of session.inputMetadata) {
  const file = files[name] ?? folders.map((folder) => path.join(folder, `${fileStem(name)}.npy`)).find(fs.existsSync);
  const dims = shapes[name] === undefined ? shape.map((extent) => (Number(extent) >= 0 ? Number(extent) : 1))
                                          : (shapes[name].match(/\d+/g) ?? []).map(Number);
  const fill = fills[name] === undefined ? undefined : Number(fills[name]);
  feeds[name] = file ? readNpy(ort, file) : makeTensor(ort, {type, dims, fill, range, random});
  console.log(`input ${describe(name, feeds[name])}`);
}

const results = await session.run(feeds).catch((error) => fail(error.message));
for (const name of session.outputNames) console.log(`output ${describe(name, results[name])}`);
for (const [folder, tensors] of [[values['save-inputs'], feeds], [values.output, results]]) {
  if (folder === undefined) continue;
  fs.mkdirSync(folder, {recursive: true});
  for (const [name, tensor] of Object.entries(tensors)) writeNpy(path.join(folder, `${fileStem(name)}.npy`), tensor);
}

if (values.time !== undefined) {
  const times = [];
  for (let run = 0; run < Number(values.time) + 2; ++run) {
    const begin = performance.now();
    await session.run(feeds);
    times.push(performance.now() - begin);
  }
  const sorted = times.slice(2).sort((a, b) => a - b);  // the first two warm up
  console.log(`median ${sorted[sorted.length >> 1].toFixed(3)} ms of ${sorted.length} on ${values.threads} thread(s)`);
}
