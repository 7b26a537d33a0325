/**
 * `node drive.mjs`: plays scenarios in a real Chromium, each in a profile of its own.
 *
 * A line of standard input is the path of a CONFIG.json; what came of it is written to CONFIG's `result`. Answers
 * with one line: empty, or what went wrong as JSON. A browser stays open for the next one that
 * wants the same flags, since a start takes seconds.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { scenarios } from "./scenarios.mjs";
import { Visit } from "./visit.mjs";

const FLAGS = [
  ...["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync"],
];
// The camera is a made-up one, and nobody is asked for it; scenarios without it do not notice.
const PLAIN = ["--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
const browsers = new Map();

async function browserWith(flags, executablePath) {
  const key = flags.join(" ");
  if (!browsers.get(key)?.isConnected()) {
    browsers.set(key, await chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] }));
  }
  return browsers.get(key);
}

/** Plays one scenario; gives what went wrong in words, or nothing. */
async function play(config) {
  const browser = await browserWith(config.flags ?? PLAIN, config.chromium);
  const context = await browser.newContext({
    viewport: config.viewport ?? { width: 1280, height: 800 },
    colorScheme: config.dark ? "dark" : "light",
    reducedMotion: "reduce",
    hasTouch: Boolean(config.touch),
    isMobile: Boolean(config.touch),
    acceptDownloads: true,
  });
  context.setDefaultTimeout(config.timeout_ms ?? 60_000);
  const page = await context.newPage();
  const visit = new Visit(context, page, config);
  try {
    const permissions = ["clipboard-read", "clipboard-write", ...(config.camera ? ["camera"] : [])];
    // A file has no origin.
    const { origin } = new URL(config.url);
    await context.grantPermissions(permissions, origin === "null" ? {} : { origin });
    const result = await scenarios[config.scenario](visit);
    const hosts = [...new Set(visit.notes.hosts)];
    writeFileSync(config.result, JSON.stringify({ ...result, ...visit.notes, hosts }));
    return "";
  } catch (error) {
    await page.screenshot({ path: `${config.out}/failed.png` }).catch(() => {});
    const body = await page.locator("body").innerText().catch(() => "");
    return `${error.stack ?? error}\nthe page: ${body}\nthe console: ${JSON.stringify(visit.notes)}`;
  } finally {
    await context.close();
  }
}

for await (const path of createInterface({ input: process.stdin })) {
  const problem = await play(JSON.parse(readFileSync(path, "utf8"))).catch((error) => String(error.stack ?? error));
  process.stdout.write((problem && JSON.stringify(problem)) + "\n");
}
await Promise.all([...browsers.values()].map((browser) => browser.close()));
