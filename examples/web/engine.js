// lacuna in WebAssembly, as a class: what the worker and the tests share.

import create from './lacuna.mjs';

export class Engine {
  static async load(options = {}) {
    return new Engine(await create(options));
  }

  constructor(module) {
    this.module = module;
    this.image = module._malloc(64 * 4);
    this.logits = module._malloc(10 * 4);
  }

  text(name) {
    return this.module.UTF8ToString(this.module['_' + name]());
  }
  check(ok) {
    if (!ok) throw new Error(this.text('web_message'));
  }
  get target() {
    return this.text('web_target');
  }
  get layers() {
    return this.text('web_layers').split(' ');
  }

  open(layer, scheme) {
    this.check(this.module.ccall('web_open', 'number', ['string', 'string'], [layer, scheme]));
  }
  run() {
    this.check(this.module._web_run());
  }
  checksum() {
    return this.module._web_checksum();
  }

  // The median of runs that take about `seconds` together, at least three.
  measure(layer, scheme, seconds) {
    this.open(layer, scheme);
    this.run();
    const times = [];
    const end = performance.now() + 1000 * seconds;
    do {
      const begin = performance.now();
      this.run();
      times.push((performance.now() - begin) / 1000);
    } while (performance.now() < end || times.length < 3);
    times.sort((a, b) => a - b);
    const median = times[times.length >> 1];
    return {
      layer,
      scheme,
      seconds: median,
      runs: times.length,
      useful_gflops: (2e-9 * this.module._web_kept_multiply_adds()) / median,
      dense_gflops: (2e-9 * this.module._web_dense_multiply_adds()) / median,
    };
  }

  // Networks as pack_digits.py writes them; values is a Float32Array.
  loadDigits(networks, values) {
    this.networks = networks.map((network, slot) => {
      const bytes = this.module._malloc(network.count * 4);
      this.module.HEAPF32.set(values.subarray(network.offset, network.offset + network.count), bytes / 4);
      const ok = this.module.ccall(
        'web_digits_load', 'number', ['number', 'string', 'number', 'number'], [slot, network.scheme, bytes, network.count]);
      this.module._free(bytes);
      this.check(ok);
      return { scheme: network.scheme, kept: this.module._web_digits_kept(slot), weights: this.module._web_digits_weights(slot) };
    });
    return this.networks;
  }

  // The logits of an image of 64 numbers in [0, 1].
  digits(slot, image) {
    this.module.HEAPF32.set(image, this.image / 4);
    this.check(this.module._web_digits_run(slot, this.image, this.logits));
    return Array.from(this.module.HEAPF32.subarray(this.logits / 4, this.logits / 4 + 10));
  }

  // Also the microseconds a run takes: the clocks of browsers are coarse, so many runs are timed together.
  classify(slot, image) {
    const logits = this.digits(slot, image);
    const runs = 200;
    const begin = performance.now();
    for (let i = 0; i < runs; ++i) this.module._web_digits_run(slot, this.image, this.logits);
    const microseconds = (1000 * (performance.now() - begin)) / runs;
    const most = Math.max(...logits);
    const weights = logits.map((value) => Math.exp(value - most));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { digit: logits.indexOf(most), probabilities: weights.map((w) => w / sum), microseconds };
  }
}
