import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exampleRun } from '../loadtest/src/fixtures/example-run.ts';
import { writeReport } from '../loadtest/src/report/write-report.ts';

const browserPath = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
const browserMissing = browserPath === undefined && 'there is no chromium in the PATH';

let browser: Browser | undefined;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-report-'));
  if (browserPath === undefined) return;
  // Root has no sandbox; the page is our own.
  const executablePath = spawnSync('sh', ['-c', `command -v ${browserPath}`], {
    encoding: 'utf8',
  }).stdout.trim();
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** As a reader opens it: from the disk. */
async function open() {
  if (browser === undefined) throw new Error('no browser was started');
  const { summary, samples } = exampleRun();
  const address = pathToFileURL((await writeReport(summary, samples, folder)) ?? '').href;
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('request', (request) => request.url() !== address && complaints.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(address);
  return { page, complaints };
}

interface Seen {
  scrollWidth: number;
  ground: string;
  plots: {
    title: string;
    shown: number;
    width: number;
    height: number;
    painted: number;
    smallestText: number;
  }[];
}

/** What a reader sees. Runs in the page, whose types are not this program's. */
const look = `({
  scrollWidth: document.documentElement.scrollWidth,
  ground: getComputedStyle(document.body).backgroundColor,
  plots: [...document.querySelectorAll('figure')].map((figure) => {
    const all = [...figure.querySelectorAll('div > svg[role="img"]')];
    const shown = all.filter((svg) => svg.getBoundingClientRect().width > 0);
    const { width, height } = shown[0].getBoundingClientRect();
    const isPainted = (part) => {
      const { fill, stroke } = getComputedStyle(part);
      const { width, height } = part.getBBox();
      return width + height > 0 && !part.matches('.hot') && (fill !== 'none' || stroke !== 'none');
    };
    return {
      title: figure.querySelector('h2').textContent,
      shown: shown.length,
      width,
      height,
      painted: [...shown[0].querySelectorAll('path, rect, circle')].filter(isPainted).length,
      smallestText: Math.min(...[...shown[0].querySelectorAll('text')].map((text) => text.getBoundingClientRect().height)),
    };
  }),
})`;

it('every plot of the report is drawn and can be read at every width, and nothing is asked of any network', async ({
  skip,
}) => {
  skip(browserMissing !== false, browserMissing || '');
  const { page, complaints } = await open();
  const grounds = new Set<string>();
  for (const width of [1280, 768, 390]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const { scrollWidth, ground, plots } = await page.evaluate<Seen>(look);
      expect(scrollWidth).toBe(width);
      grounds.add(`${colorScheme} ${ground}`);
      expect(plots).toHaveLength(12);
      for (const plot of plots) {
        const where = `${plot.title} at ${width} px, ${colorScheme}`;
        expect(plot.shown, where).toBe(1);
        expect(plot.width, where).toBeGreaterThan(300);
        expect(plot.height, where).toBeGreaterThan(100);
        expect(plot.painted, where).toBeGreaterThan(5);
        // The height of a line; 10 of it are letters of 8, below which nobody reads.
        expect(plot.smallestText, where).toBeGreaterThan(10);
      }
    }
  }
  expect([...grounds].sort()).toEqual(['dark rgb(18, 20, 23)', 'light rgb(246, 246, 243)']);
  expect(complaints).toEqual([]);
});

it('what is pointed at is said, and the theme can be chosen', async ({ skip }) => {
  skip(browserMissing !== false, browserMissing || '');
  const { page, complaints } = await open();
  const hot = page.locator('.wide [data-tip^="waits for retrieve in the slowest"]');
  await hot.scrollIntoViewIfNeeded();
  await hot.hover();
  const tip = page.locator('#tip');
  expect(await tip.textContent()).toMatch(/^waits for retrieve in the slowest 1 %: 1\.\d\d s/);
  expect(await tip.isVisible()).toBe(true);
  await page.emulateMedia({ colorScheme: 'light' });
  const button = page.locator('#theme');
  await button.click();
  await button.click();
  expect(await button.textContent()).toBe('theme: dark');
  expect((await page.evaluate<Seen>(look)).ground).toBe('rgb(18, 20, 23)');
  expect(complaints).toEqual([]);
});
