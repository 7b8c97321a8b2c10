// The page: drawing, tables, the plot. All computing is in worker.js.

const byId = (id) => document.getElementById(id);
const worker = new Worker('worker.js', { type: 'module' });
if ('serviceWorker' in navigator) navigator.serviceWorker.register('sw.js').catch(() => {});

// --- Digits

const SIDE = 8;
const canvas = byId('canvas');
const pen = canvas.getContext('2d', { willReadFrequently: true });
let drawing = false, busy = false, pending = false, inked = false;

// Strokes of a few digits, in units of the canvas, for the keyboard and for tests.
const SAMPLES = {
  0: [[[0.5, 0.15], [0.33, 0.25], [0.3, 0.5], [0.35, 0.78], [0.5, 0.86], [0.65, 0.76], [0.7, 0.5], [0.66, 0.25], [0.5, 0.15]]],
  1: [[[0.4, 0.28], [0.53, 0.14], [0.53, 0.86]]],
  3: [[[0.33, 0.2], [0.5, 0.14], [0.66, 0.27], [0.5, 0.46], [0.68, 0.64], [0.55, 0.84], [0.33, 0.8]]],
  4: [[[0.45, 0.12], [0.28, 0.58], [0.74, 0.58]], [[0.58, 0.36], [0.56, 0.88]]],
  7: [[[0.28, 0.17], [0.7, 0.17], [0.5, 0.5], [0.42, 0.87]], [[0.36, 0.5], [0.64, 0.5]]],
};

function clearCanvas() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  inked = false;
}

function style() {
  pen.lineWidth = canvas.width / 9;
  pen.lineCap = pen.lineJoin = 'round';
  pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue('--ink');
}

function point(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
}

// The drawing as 8 x 8 pixels: its bounding box, as high as the image, in the middle.
function image() {
  const { width, height } = canvas;
  const alpha = pen.getImageData(0, 0, width, height).data;
  let left = width, right = -1, top = height, bottom = -1;
  for (let y = 0; y < height; ++y) {
    for (let x = 0; x < width; ++x) {
      if (alpha[4 * (y * width + x) + 3] < 64) continue;
      left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
  }
  const pixels = new Float32Array(SIDE * SIDE);
  if (right < 0) return pixels;
  const extent = Math.max(bottom - top + 1, right - left + 1);
  const cell = extent / SIDE;
  const x0 = (left + right + 1 - extent) / 2, y0 = (top + bottom + 1 - extent) / 2;
  const steps = 8;
  for (let row = 0; row < SIDE; ++row) {
    for (let column = 0; column < SIDE; ++column) {
      let sum = 0;
      for (let i = 0; i < steps * steps; ++i) {
        const x = Math.floor(x0 + cell * (column + ((i % steps) + 0.5) / steps));
        const y = Math.floor(y0 + cell * (row + (Math.floor(i / steps) + 0.5) / steps));
        if (x >= 0 && y >= 0 && x < width && y < height) sum += alpha[4 * (y * width + x) + 3];
      }
      pixels[row * SIDE + column] = Math.min(1, sum / (255 * steps * steps));
    }
  }
  return pixels;
}

function classify() {
  if (!inked) return;
  if (busy) {
    pending = true;
    return;
  }
  busy = true;
  worker.postMessage({ type: 'digits', image: image() });
}

canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId);
  drawing = inked = true;
  style();
  pen.beginPath();
  pen.moveTo(...point(event));
  pen.lineTo(...point(event));
  pen.stroke();
  event.preventDefault();
});
canvas.addEventListener('pointermove', (event) => {
  if (!drawing) return;
  for (const one of event.getCoalescedEvents?.() ?? [event]) pen.lineTo(...point(one));
  pen.stroke();
});
for (const name of ['pointerup', 'pointercancel']) {
  canvas.addEventListener(name, () => {
    if (drawing) classify();
    drawing = false;
  });
}
byId('clear').addEventListener('click', () => {
  clearCanvas();
  byId('sample').value = '';
  byId('answer').textContent = 'The networks wait for a digit.';
  byId('digits').tBodies[0].replaceChildren();
});
for (const digit of Object.keys(SAMPLES)) byId('sample').add(new Option(digit, digit));
byId('sample').addEventListener('change', ({ target }) => {
  if (target.value === '') return;
  clearCanvas();
  style();
  for (const stroke of SAMPLES[target.value]) {
    pen.beginPath();
    stroke.forEach(([x, y], i) => pen[i ? 'lineTo' : 'moveTo'](x * canvas.width, y * canvas.height));
    pen.stroke();
  }
  inked = true;
  classify();
});

function row(table, cells) {
  const line = table.tBodies[0].insertRow();
  cells.forEach((cell, i) => {
    const element = document.createElement(i ? 'td' : 'th');
    if (!i) element.scope = 'row';
    element.textContent = cell;
    line.append(element);
  });
}

function showDigits(results) {
  byId('digits').tBodies[0].replaceChildren();
  for (const r of results) {
    row(byId('digits'), [r.scheme, `${((100 * r.kept) / r.weights).toFixed(0)} %`, r.digit,
      `${(100 * r.probabilities[r.digit]).toFixed(0)} %`, r.microseconds.toFixed(1)]);
  }
  const dense = results[0];
  const same = results.filter((r) => r.digit === dense.digit).length;
  byId('answer').textContent = `It is a ${dense.digit}. ${same} of ${results.length} networks say so.`;
  busy = false;
  if (pending) {
    pending = false;
    classify();
  }
}

// --- Benchmark

const SCHEMES = ['dense', 'bcr_col-8x', 'bcr_kernel-8x', 'pattern-8x', 'unstructured-8x'];
const FIRST = ['vgg16.conv3_2', 'vgg16.conv4_2', 'vgg16.conv5_1'];
let layers = [], results = [], target = '';

const denseSeconds = (layer) => results.find((r) => r.layer === layer && r.scheme === 'dense')?.seconds;

byId('start').addEventListener('click', () => {
  results = [];
  byId('results').tBodies[0].replaceChildren();
  byId('plot').replaceChildren();
  const chosen = byId('all').checked ? layers.filter((name) => name.startsWith('vgg16.')) : FIRST;
  const jobs = chosen.flatMap((layer) => SCHEMES.map((scheme) => ({ layer, scheme })));
  byId('start').disabled = byId('save').disabled = byId('share').disabled = true;
  byId('stop').disabled = false;
  worker.postMessage({ type: 'bench', jobs, seconds: 0.3 });
});
byId('stop').addEventListener('click', () => worker.postMessage({ type: 'stop' }));

function showResult(result) {
  results.push(result);
  const dense = denseSeconds(result.layer);
  row(byId('results'), [result.layer, result.scheme, (1000 * result.seconds).toFixed(2), result.useful_gflops.toFixed(1),
    dense ? `${(dense / result.seconds).toFixed(1)}x` : '']);
  plot();
}

function plot() {
  const name = (tag, attributes, text) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const shown = results.filter((r) => denseSeconds(r.layer));
  const narrow = innerWidth < 600;
  const line = 20, left = narrow ? 210 : 250, width = narrow ? 400 : 640;
  const most = Math.max(1, ...shown.map((r) => denseSeconds(r.layer) / r.seconds));
  const svg = name('svg', { viewBox: `0 0 ${width} ${line * shown.length + 24}`, role: 'img', 'aria-label': 'Times faster than dense, per layer and scheme; the table has the numbers' });
  svg.append(name('text', { x: 0, y: 15 }, 'times faster than dense'));
  shown.forEach((r, i) => {
    const times = denseSeconds(r.layer) / r.seconds;
    const y = 24 + i * line;
    svg.append(name('text', { x: 0, y: y + 14 }, `${r.layer} ${r.scheme}`));
    svg.append(name('rect', { x: left, y: y + 3, width: Math.max(1, ((width - left - 50) * times) / most), height: line - 6, class: r.scheme === 'dense' ? 'dense' : 'sparse' }));
    svg.append(name('text', { x: left + ((width - left - 50) * times) / most + 6, y: y + 14 }, `${times.toFixed(1)}x`));
  });
  byId('plot').replaceChildren(svg);
}

// Google Benchmark's form, as bench/report.py reads it.
function asJson() {
  return {
    context: { date: new Date().toISOString(), executable: 'examples/web', host_name: 'browser', cpu: navigator.userAgent,
               num_cpus: navigator.hardwareConcurrency ?? 1, target, threads: 1 },
    benchmarks: results.map((r) => ({
      name: `conv2d/${r.layer}/${r.scheme}/lacuna`, run_name: `conv2d/${r.layer}/${r.scheme}/lacuna`, run_type: 'iteration',
      iterations: r.runs, real_time: 1e3 * r.seconds, cpu_time: 1e3 * r.seconds, time_unit: 'ms',
      useful_gflops: r.useful_gflops, dense_gflops: r.dense_gflops })),
  };
}

function asText() {
  const lines = results.map((r) => {
    const dense = denseSeconds(r.layer);
    return `${r.layer} ${r.scheme}: ${(1000 * r.seconds).toFixed(2)} ms${dense ? `, ${(dense / r.seconds).toFixed(1)}x dense` : ''}`;
  });
  return [`lacuna in a browser, ${target}, one thread`, navigator.userAgent, ...lines].join('\n');
}

byId('save').addEventListener('click', () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([JSON.stringify(asJson(), null, 1)], { type: 'application/json' }));
  link.download = 'lacuna.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
byId('share').addEventListener('click', async () => {
  const text = asText();
  try {
    if (navigator.share) await navigator.share({ text });
    else await navigator.clipboard.writeText(text);
    byId('state').textContent = navigator.share ? 'Shared.' : 'Copied.';
  } catch {
    byId('state').textContent = text;
  }
});

worker.addEventListener('message', ({ data }) => {
  switch (data.type) {
    case 'ready':
      ({ layers, target } = data);
      byId('device').textContent = `WebAssembly, SIMD of 128 bits (${target}), ${navigator.hardwareConcurrency ?? '?'} logical processors, one used.`;
      byId('start').disabled = false;
      break;
    case 'digits': showDigits(data.results); break;
    case 'progress':
      byId('progress').value = data.done / data.total;
      byId('state').textContent = `${data.done + 1} of ${data.total}: ${data.layer}, ${data.scheme}`;
      break;
    case 'result': showResult(data.result); break;
    case 'done':
      byId('progress').value = data.stopped ? byId('progress').value : 1;
      byId('state').textContent = data.stopped ? 'Stopped.' : 'Done.';
      byId('start').disabled = false;
      byId('stop').disabled = true;
      byId('save').disabled = byId('share').disabled = results.length === 0;
      break;
    case 'failed':
      busy = false;
      byId('device').textContent = `This browser cannot run it: ${data.message}`;
      break;
  }
});
worker.addEventListener('error', (event) => {
  byId('device').textContent = `This browser cannot run it: ${event.message || 'module workers are needed'}`;
});
