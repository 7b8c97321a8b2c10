// Everything that computes, off the page's thread. Messages in: {type: 'digits', image}, {type: 'bench', jobs, seconds},
// {type: 'stop'}. Out: ready, digits, result, done, failed.

import { Engine } from './engine.js';

let engine = null;
let stopped = false;

async function start() {
  engine = await Engine.load();
  const [networks, values] = await Promise.all([
    fetch('digits.json').then((response) => response.json()),
    fetch('digits.bin').then((response) => response.arrayBuffer()),
  ]);
  const loaded = engine.loadDigits(networks, new Float32Array(values));
  postMessage({ type: 'ready', target: engine.target, layers: engine.layers, networks: loaded });
}

async function bench({ jobs, seconds }) {
  stopped = false;
  for (let i = 0; i < jobs.length && !stopped; ++i) {
    const { layer, scheme } = jobs[i];
    postMessage({ type: 'progress', done: i, total: jobs.length, layer, scheme });
    postMessage({ type: 'result', result: engine.measure(layer, scheme, seconds) });
    await new Promise((resolve) => setTimeout(resolve));  // lets messages in: stop, digits
  }
  postMessage({ type: 'done', stopped });
}

const ready = start().catch((error) => postMessage({ type: 'failed', message: String(error.message || error) }));

addEventListener('message', async ({ data }) => {
  try {
    if (data.type === 'stop') {
      stopped = true;
      return;
    }
    await ready;
    if (engine === null) return;
    if (data.type === 'digits') {
      const results = engine.networks.map((network, slot) => ({ ...network, ...engine.classify(slot, data.image) }));
      postMessage({ type: 'digits', results });
    } else if (data.type === 'bench') {
      await bench(data);
    }
  } catch (error) {
    postMessage({ type: 'failed', message: String(error.message || error) });
  }
});
