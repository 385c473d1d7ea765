import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** WebDriver's name of an element in JSON (W3C WebDriver, section 12). */
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

const KEYS = { Enter: '\uE007', Escape: '\uE00C', ArrowDown: '\uE015', ArrowUp: '\uE013' } as const;

export interface BrowserOptions {
  readonly width?: number;
  readonly height?: number;
}

/** Headless Chromium through chromedriver, with what the tests of the explorer need. */
export class Browser {
  readonly #driver: ChildProcess;
  readonly #session: string;

  private constructor(driver: ChildProcess, session: string) {
    this.#driver = driver;
    this.#session = session;
  }

  static async start({ width = 1440, height = 900 }: BrowserOptions = {}): Promise<Browser> {
    const driver = spawn('chromedriver', ['--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const port = await new Promise<string>((done, fail) => {
      let said = '';
      driver.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const found = /on port (\d+)/.exec(said.replace(/--port=\S+|port 0\b/g, ''))?.[1];
        if (found !== undefined) done(found);
      });
      driver.on('error', () =>
        fail(
          new Error(
            'the test of gibbs view needs Chromium and chromedriver: apt-get install chromium ' +
              'chromium-driver (GIBBS_TEST_BROWSER=none leaves it out where they cannot be had)',
          ),
        ),
      );
      driver.on('exit', (code) => fail(new Error(`chromedriver ended (${code}): ${said}`)));
    });
    const base = `http://127.0.0.1:${port}/session`;
    const args = [
      'headless=new',
      'no-sandbox',
      'disable-gpu',
      'disable-dev-shm-usage',
      'hide-scrollbars',
      `window-size=${width},${height}`,
    ];
    const capabilities = {
      alwaysMatch: {
        'goog:chromeOptions': { args },
        'goog:loggingPrefs': { browser: 'ALL' },
      },
    };
    const { sessionId } = (await send('POST', base, { capabilities })) as { sessionId: string };
    const browser = new Browser(driver, `${base}/${sessionId}`);
    await browser.#cdp('Browser.grantPermissions', {
      permissions: ['clipboardReadWrite', 'clipboardSanitizedWrite'],
    });
    await browser.#cdp('Emulation.setDeviceMetricsOverride', {
      ...{ width, height },
      deviceScaleFactor: 1,
      mobile: false,
    });
    return browser;
  }

  async open(url: string): Promise<void> {
    await this.#post('url', { url });
  }

  /** The value of an expression in the page, awaited. */
  async value<T>(expression: string): Promise<T> {
    const script = `return Promise.resolve(${expression})`;
    return (await this.#post('execute/sync', { script, args: [] })) as T;
  }

  /** Waits until an expression of the page is true; one that fails is not yet. @returns its value. */
  async until<T>(expression: string, seconds = 60): Promise<T> {
    const end = Date.now() + 1000 * seconds;
    for (;;) {
      let failure = '';
      const found = await this.value<T>(expression).catch((error: Error) => {
        failure = `\n${error.message}`;
      });
      if (found) return found;
      if (Date.now() > end) {
        const text = await this.value<string>('document.body.innerText');
        throw new Error(
          `not within ${seconds} s: ${expression}${failure}\nthe page:\n${text.slice(0, 2000)}`,
        );
      }
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** Clicks on an element; once more where it was drawn anew between finding and clicking. */
  async click(css: string): Promise<void> {
    const once = async () => this.#post(`element/${await this.#find(css)}/click`, {});
    await once().catch(async () => {
      await new Promise((done) => setTimeout(done, 500));
      await once();
    });
  }

  async type(css: string, text: string): Promise<void> {
    await this.#post(`element/${await this.#find(css)}/value`, { text });
  }

  async press(css: string, key: keyof typeof KEYS): Promise<void> {
    await this.type(css, KEYS[key]);
  }

  /** Drags with the mouse between two points of the window. */
  async drag(from: readonly [number, number], to: readonly [number, number]): Promise<void> {
    const move = ([x, y]: readonly [number, number], duration: number) => ({
      ...{ type: 'pointerMove', duration },
      x: Math.round(x),
      y: Math.round(y),
    });
    const actions = [
      move(from, 0),
      { type: 'pointerDown', button: 0 },
      move([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2], 50),
      move(to, 50),
      { type: 'pointerUp', button: 0 },
    ];
    const pointer = { type: 'pointer', id: 'mouse', parameters: { pointerType: 'mouse' }, actions };
    await this.#post('actions', { actions: [pointer] });
  }

  async colours(scheme: 'light' | 'dark'): Promise<void> {
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.#cdp('Emulation.setEmulatedMedia', { features });
  }

  async screenshot(file: string): Promise<void> {
    mkdirSync(dirname(file), { recursive: true });
    const png = (await send('GET', `${this.#session}/screenshot`)) as string;
    writeFileSync(file, Buffer.from(png, 'base64'));
  }

  /** What the console was told since the last call: errors, refused loads. */
  async complaints(): Promise<string[]> {
    const entries = (await this.#post('se/log', { type: 'browser' })) as {
      level: string;
      message: string;
    }[];
    return entries.filter(({ level }) => level === 'SEVERE').map(({ message }) => message);
  }

  /** Addresses of everything that the page has loaded. */
  loaded(): Promise<string[]> {
    return this.value("performance.getEntriesByType('resource').map(({ name }) => name)");
  }

  async close(): Promise<void> {
    await send('DELETE', this.#session).catch(() => {});
    this.#driver.removeAllListeners('exit');
    this.#driver.kill();
  }

  async #find(css: string): Promise<string> {
    const found = await this.#post('element', { using: 'css selector', value: css });
    return (found as Record<string, string>)[ELEMENT];
  }

  #post(path: string, body: object): Promise<unknown> {
    return send('POST', `${this.#session}/${path}`, body);
  }

  #cdp(cmd: string, params: object): Promise<unknown> {
    return this.#post('goog/cdp/execute', { cmd, params });
  }
}

async function send(method: string, url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = (await response.json()) as { value: { error?: string; message?: string } };
  if (!response.ok) throw new Error(`${url}: ${value?.error}: ${value?.message}`);
  return value;
}
