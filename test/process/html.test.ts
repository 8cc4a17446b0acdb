// Opens the pages in a real browser: Chromium without a window, and without a network.
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { type Browser, chromium, type Page } from 'playwright-core';

import { evaluationHtml, reportHtml } from '../../lib';
import { sampleEvaluation } from '../helpers/evaluation';
import { sampleReport } from '../helpers/report';
import { temporaryFolder } from '../helpers/temporary';

const folder = temporaryFolder();
const found = (process.env.PATH ?? '')
  .split(delimiter)
  .flatMap((path) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(path, name)))
  .find((path) => existsSync(path));
if (found === undefined) console.warn('pages in a browser: skipped, there is no chromium');
const inBrowser = found === undefined ? describe.skip : describe;

inBrowser('a page in a browser', () => {
  let browser: Browser;
  const at = (name: string) => join(folder, `${name}.html`);
  beforeAll(async () => {
    writeFileSync(at('evaluation'), await evaluationHtml(sampleEvaluation()));
    writeFileSync(at('harden'), await reportHtml(sampleReport()));
    // A superuser, as in a container, has no sandbox.
    browser = await chromium.launch({ executablePath: found!, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
  });
  afterAll(() => browser.close());

  async function opened(name: string, use: (page: Page) => Promise<void>, width = 1280, dark = false): Promise<void> {
    const colorScheme = dark ? 'dark' : 'light';
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, offline: true });
    try {
      const page = await context.newPage();
      const faults: string[] = [];
      page.on('console', (message) => faults.push(message.text()));
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('request', (request) => {
        if (request.url() !== pathToFileURL(at(name)).href) faults.push(request.url());
      });
      await page.goto(pathToFileURL(at(name)).href);
      await use(page);
      expect(faults).toEqual([]);
    } finally {
      await context.close();
    }
  }

  const cases = ['evaluation', 'harden'].flatMap((name) =>
    [390, 1280].flatMap((width) => [false, true].map((dark) => ({ name, width, dark }))),
  );
  test.each(cases)('$name at $width px, dark: $dark, never scrolls sideways', ({ name, width, dark }) =>
    opened(
      name,
      async (page) => {
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        const background = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
        expect(background).toBe(dark ? 'rgb(20, 23, 27)' : 'rgb(252, 252, 251)');
        // Colours of plots are the theme's, too: none is left black.
        const ink = await page.evaluate('getComputedStyle(document.querySelector("figure svg text")).fill');
        expect(ink).not.toBe('rgb(0, 0, 0)');
      },
      width,
      dark,
    ),
  );

  test('answers are searched, filtered and unfolded', () =>
    opened('evaluation', async (page) => {
      const shown = () => page.locator('article:visible').count();
      const { rows } = sampleEvaluation().suites[0]!;
      expect(await shown()).toBe(rows.length);
      await page.getByRole('searchbox').fill('REQUEST 3');
      expect(await shown()).toBe(1);
      await expect(page.locator('output').textContent()).resolves.toBe(`1 of ${rows.length} requests`);
      await page.getByRole('searchbox').fill('');
      await page.getByLabel('labels differ').check();
      expect(await shown()).toBe(3);
      await page.getByRole('combobox', { name: 'Label' }).selectOption('degenerate');
      expect(await shown()).toBe(1);
      await page.getByRole('combobox', { name: 'Label' }).selectOption('complied');
      await page.getByRole('combobox', { name: 'Suite' }).selectOption('harmful');
      const answer = page.locator('article:visible details').first();
      expect(await answer.locator('.said').isVisible()).toBe(false);
      await answer.locator('summary').click();
      expect(await answer.locator('.said').isVisible()).toBe(true);
    }));

  test('no script runs but its own', async () => {
    const insert = "document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = 1' }))";
    const opening = opened('harden', async (page) => {
      await page.evaluate(insert);
      expect(await page.evaluate('window.ran')).toBeUndefined();
    });
    await expect(opening).rejects.toThrow(/Content Security Policy/u); // it is the fault that the console shows
  });
});
