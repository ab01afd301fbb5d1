// Looks at every report in a folder in headless Chromium. Prints what is wrong, one line each, and fails if there is anything.
//   node check.mjs FOLDER [NAME ...]        SHOTS=1 also takes pictures
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as inside from './inside.mjs';
import { compared } from './compared.mjs';
import { numbers } from './numbers.mjs';

const [, , folder, ...wanted] = process.argv;
const root = resolve(folder, '..');
const require = createRequire(join(root, 'node', 'package.json'));
const puppeteer = require('puppeteer-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const WIDTHS = [320, 340, 390, 860, 1024, 1280, 1920];
const FONTS = { own: '', dejavu: ':root{--sans:"DejaVu Sans",sans-serif!important;--serif:"DejaVu Serif",serif!important;--mono:"DejaVu Sans Mono",monospace!important}' };
const PAPER = 703; // pixels between the margins of A4
// pages of a print in the page's own fonts; the specification allows two more or fewer
const PAGES = { pass: 5, fail: 4, invalid: 4, many: 25, better: 4, open: 4, story: 9 };

const problems = [];
let where = '';
const wrong = (what) => problems.push(`${where}: ${what}`);

const chromium = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const profile = mkdtempSync(join(tmpdir(), 'hearth-page-'));
const browser = await puppeteer.launch({
  executablePath: chromium,
  userDataDir: profile,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--font-render-hinting=none'],
});

async function open(path, { script = true } = {}) {
  const page = await browser.newPage();
  page.on('console', (message) => wrong(`console: ${message.text()}`));
  page.on('pageerror', (error) => wrong(`script: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (url !== pathToFileURL(path).href && !url.startsWith('data:')) wrong(`asked for ${url}`);
  });
  await page.setJavaScriptEnabled(script);
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(pathToFileURL(path).href, { waitUntil: 'load' });
  return page;
}

const scheme = (page, value) => page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }, { name: 'prefers-reduced-motion', value: 'reduce' }]);

/** Widths, colours and fonts: nothing scrolls sideways, overlaps, leaves the screen or overflows its cell. */
async function layout(page, name) {
  for (const [font, css] of Object.entries(FONTS)) {
    const style = css && await page.addStyleTag({ content: css });
    for (const width of WIDTHS) {
      await page.setViewport({ width, height: 900 });
      // colours change no box: what is measured once is valid for both
      where = `${name} ${font} ${width}`;
      for (const problem of await page.evaluate(inside.layout)) wrong(problem);
    }
    if (style) await style.evaluate((node) => node.remove());
  }
}

/** WCAG 2.2 AA, by axe. */
async function accessible(page, name) {
  await page.evaluate(axe);
  for (const [width, colours] of [[1280, 'light'], [1280, 'dark'], [390, 'light']]) {
    where = `${name} axe ${width} ${colours}`;
    await page.setViewport({ width, height: 900 });
    await scheme(page, colours);
    const found = await page.evaluate(() => window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], resultTypes: ['violations'],
    }));
    for (const one of found.violations) wrong(`${one.id}: ${one.nodes.length} × ${one.nodes[0].html.slice(0, 160)} ${one.nodes[0].failureSummary?.split('\n')[1] ?? ''}`);
  }
}

/** Keys: the slider reads out, every target shows its focus. */
async function keys(page, name) {
  where = `${name} keys`;
  await page.setViewport({ width: 1280, height: 900 });
  await page.evaluate(() => window.scrollTo(0, 0));
  for (const slider of await page.$$('.scrub input')) {
    const text = () => slider.evaluate((input) => input.getAttribute('aria-valuetext'));
    const before = await text();
    await slider.focus();
    await page.keyboard.press('ArrowRight');
    const after = await text();
    if (!before || !after || before === after) wrong(`an arrow key leaves a slider at "${after}"`);
    const shown = await slider.evaluate((input) => input.nextElementSibling.textContent);
    if (shown !== after) wrong('a slider does not show what it reads out');
  }
  // the order starts over at the top
  await page.evaluate(() => { document.activeElement?.blur(); document.querySelector('.skip').focus(); });
  const seen = new Set();
  for (let n = 0; n < 300; n++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(inside.focus);
    if (!at || seen.has(at.path)) break;
    seen.add(at.path);
    if (!at.visible) wrong(`focus cannot be seen on ${at.path}`);
  }
  if (seen.size < 5) wrong(`only ${seen.size} things take the focus`);
  for (const problem of await page.evaluate(inside.targets)) wrong(problem);
}

/** Without its script the page is whole. */
async function withoutScript(path, name, report) {
  where = `${name} no script`;
  const page = await open(path, { script: false });
  for (const problem of await page.evaluate(inside.figures, report)) wrong(problem);
  await page.close();
}

/** Printed in this font: the verdict is there, nothing is cut off, and about as many pages as there should be. */
async function print(page, name, report, [font, css]) {
  where = `${name} print ${font}`;
  const style = css && await page.addStyleTag({ content: css });
  const file = join(root, `${name}.pdf`);
  await scheme(page, 'dark');
  await page.setViewport({ width: PAPER, height: 900 });
  await page.emulateMediaType('print');
  for (const problem of await page.evaluate(inside.cut)) wrong(problem);
  await page.emulateMediaType(null);
  await page.pdf({ path: file, preferCSSPageSize: true, printBackground: true });
  const flat = (text) => text.replace(/\s+/g, ' ');
  const text = flat(execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' }));
  const plainText = flat(execFileSync('pdftotext', [file, '-'], { encoding: 'utf8' }));
  for (const line of report.summary.results) {
    const sentence = flat(line.sentence);
    if (!plainText.includes(sentence) && !text.includes(sentence)) wrong(`the verdict is not in the print: ${sentence}`);
  }
  const pages = Number(/Pages:\s+(\d+)/.exec(execFileSync('pdfinfo', [file], { encoding: 'utf8' }))[1]);
  if (font === 'own' && PAGES[name] && Math.abs(pages - PAGES[name]) > 2) wrong(`${pages} pages, ${PAGES[name]} were expected`);
  if (style) await style.evaluate((node) => node.remove());
  await scheme(page, 'light');
}

async function pictures(page, name) {
  const shots = join(root, 'shots');
  mkdirSync(shots, { recursive: true });
  for (const [width, colours] of [[1280, 'light'], [1280, 'dark'], [390, 'light']]) {
    await page.setViewport({ width, height: 900 });
    await scheme(page, colours);
    await page.screenshot({ path: join(shots, `${name}-${width}-${colours}.png`), fullPage: true });
  }
}

const names = readdirSync(folder).filter((name) => !wanted.length || wanted.includes(name));
for (const name of names) {
  const path = resolve(folder, name, 'report.html');
  const report = JSON.parse(readFileSync(join(folder, name, 'report.json'), 'utf8'));
  where = name;
  const began = Date.now();
  const page = await open(path);
  await scheme(page, 'light');
  for (const problem of await page.evaluate(inside.figures, report)) wrong(problem);
  for (const problem of await page.evaluate(numbers, report)) wrong(problem);
  for (const problem of await page.evaluate(compared, report)) wrong(problem);
  if (await page.evaluate(() => window.taken)) wrong('text from the cluster was run');
  await layout(page, name);
  await accessible(page, name);
  await keys(page, name);
  for (const font of Object.entries(FONTS)) await print(page, name, report, font);
  if (process.env.SHOTS) await pictures(page, name);
  await page.close();
  await withoutScript(path, name, report);
  console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
await browser.close();
rmSync(profile, { recursive: true, force: true });
writeFileSync(join(root, 'problems.txt'), problems.join('\n'));
for (const problem of problems.slice(0, 60)) console.log(problem);
if (problems.length) {
  console.log(`${problems.length} problems`);
  process.exit(1);
}
