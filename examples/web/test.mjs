// test.mjs REFERENCE_JSON SITE: whether WebAssembly computes what this machine does. Fails if anything differs by more
// than rounding, or if no layer was compared.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [reference, site] = [JSON.parse(readFileSync(process.argv[2])), path.resolve(process.argv[3])];
const { Engine } = await import(pathToFileURL(path.join(site, 'engine.js')));
const engine = await Engine.load({ wasmBinary: readFileSync(path.join(site, 'lacuna.wasm')) });
const networks = JSON.parse(readFileSync(path.join(site, 'digits.json')));
const bytes = readFileSync(path.join(site, 'digits.bin'));
engine.loadDigits(networks, new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));

let faults = 0;
const near = (a, b, scale, what) => {
  if (Math.abs(a - b) <= 1e-4 * scale) return;
  console.error(`${what}: ${a}, must be ${b}`);
  ++faults;
};

console.log(`WebAssembly ${engine.target} over ${reference.target}`);
for (const { layer, scheme, checksum, seconds } of reference.layers) {
  engine.open(layer, scheme);
  let best = Infinity;
  for (let run = 0; run < 7; ++run) {
    const begin = performance.now();
    engine.run();
    best = Math.min(best, (performance.now() - begin) / 1000);
  }
  near(engine.checksum(), checksum, Math.max(1, Math.abs(checksum)), `${layer} ${scheme}`);
  console.log(`${layer.padEnd(20)} ${scheme.padEnd(16)} ${(1000 * best).toFixed(2).padStart(8)} ms, ${(1000 * seconds).toFixed(2).padStart(8)} ms here, ${(seconds / best).toFixed(2)} of its speed`);
}

const images = [0, 1, 2].map((image) => Float32Array.from({ length: 64 }, (_, i) => {
  const h = i >> 3, w = i & 7, ring = (2 * h - 7) ** 2 + (2 * w - 7) ** 2;
  return image === 0 ? Number(w === 4) : image === 1 ? (h + w) / 14 : Number(ring > 14 && ring < 40);
}));
networks.forEach(({ scheme }, slot) => images.forEach((image, i) => {
  const wanted = reference.digits[3 * slot + i];
  engine.digits(slot, image).forEach((value, c) => near(value, wanted[c], Math.max(...wanted.map(Math.abs)), `digits ${scheme}, image ${i}, logit ${c}`));
}));
if (reference.layers.length === 0 || reference.digits.length !== 3 * networks.length) {
  console.error('the reference is not complete');
  ++faults;
}
console.log(faults === 0 ? 'all equal but for rounding' : `${faults} faults`);
process.exit(faults === 0 ? 0 : 1);
