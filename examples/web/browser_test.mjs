// browser_test.mjs SITE OUT: opens the page in Chromium, draws and measures as a user would, and fails if anything the
// page shows is missing. Screenshots, light and dark, are written to OUT.

import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';

const [site, out] = process.argv.slice(2, 4).map((folder) => path.resolve(folder));
const puppeteer = createRequire(path.join(out, 'package.json'))('puppeteer-core');

const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json' };
const server = http.createServer(async (request, response) => {
  const name = request.url === '/' ? 'index.html' : path.basename(new URL(request.url, 'http://x').pathname);
  try {
    const body = await readFile(path.join(site, name));
    response.writeHead(200, { 'Content-Type': types[path.extname(name)] ?? 'application/octet-stream' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const faults = [];
const expect = (condition, what) => {
  if (!condition) faults.push(what);
};
const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'], headless: true });
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => faults.push(`page error: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && faults.push(`console: ${message.text()}`));
  await page.setViewport({ width: 390, height: 844, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => !document.getElementById('start').disabled, { timeout: 60000 });

  // Samples by keyboard: every one must be seen by the dense network as what it is.
  for (const digit of await page.$$eval('#sample option', (all) => all.map((one) => one.value).filter(Boolean))) {
    await page.select('#sample', digit);
    await page.waitForFunction((wanted) => document.getElementById('answer').textContent.startsWith(`It is a ${wanted}.`),
      { timeout: 20000 }, digit).catch(async () => faults.push(`sample ${digit}: ${await page.$eval('#answer', (e) => e.textContent)}`));
  }
  expect((await page.$$('#digits tbody tr')).length === 5, 'a row for each network');

  // A seven by pointer.
  await page.click('#clear');
  expect((await page.$$('#digits tbody tr')).length === 0, 'Clear empties the table');
  const box = await (await page.$('#canvas')).boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(0.53, 0.12));
  await page.mouse.down();
  await page.mouse.move(...at(0.53, 0.88), { steps: 10 });
  await page.mouse.up();
  await page.waitForFunction(() => document.querySelectorAll('#digits tbody tr').length === 5, { timeout: 20000 });

  await page.click('#start');
  await page.waitForFunction(() => /^Done/.test(document.getElementById('state').textContent), { timeout: 240000 });
  const rows = await page.$$eval('#results tbody tr', (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  expect(rows.length === 15, `15 results, not ${rows.length}`);
  expect(rows.every((row) => Number(row[2]) > 0 && Number(row[3]) > 0), 'every result has a time');
  expect((await page.$$('#plot svg rect')).length === 15, 'a bar for each result');
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page is not wider than the screen');
  console.log(rows.map((row) => row.join('  ')).join('\n'));
  console.log(await page.$eval('#state', (e) => e.textContent));
  await page.screenshot({ path: path.join(out, 'page-light.png'), fullPage: true });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  await page.select('#sample', '3');
  await page.screenshot({ path: path.join(out, 'page-dark.png'), fullPage: true });
  // Without a network: what the service worker keeps.
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  await page.reload();
  server.close();
  server.closeAllConnections();
  await page.reload();
  await page.waitForFunction(() => !document.getElementById('start').disabled, { timeout: 60000 })
    .catch(() => faults.push('the page does not work offline'));
} finally {
  await browser.close();
  server.close();
}
for (const fault of faults) console.error(fault);
console.log(faults.length === 0 ? 'the page works' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
