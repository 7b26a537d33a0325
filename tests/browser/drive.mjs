/** `node drive.mjs CONFIG.json`: plays one scenario in a real Chromium and writes what came of it to CONFIG's `result`. */
import { readFileSync, writeFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { scenarios } from "./scenarios.mjs";
import { Visit } from "./visit.mjs";

const FLAGS = [
  ...["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync"],
];

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const context = await chromium.launchPersistentContext(config.profile, {
  executablePath: config.chromium,
  headless: true,
  args: [...FLAGS, ...(config.flags ?? ["--disable-gpu"])],
  viewport: config.viewport ?? { width: 1280, height: 800 },
  colorScheme: config.dark ? "dark" : "light",
  reducedMotion: "reduce",
  hasTouch: Boolean(config.touch),
  isMobile: Boolean(config.touch),
  acceptDownloads: true,
});
context.setDefaultTimeout(config.timeout_ms ?? 60_000);
const page = context.pages()[0];
const visit = new Visit(context, page, config);
try {
  if (/^http/.test(config.url)) {
    const permissions = ["clipboard-read", "clipboard-write", ...(config.camera ? ["camera"] : [])];
    await context.grantPermissions(permissions, { origin: new URL(config.url).origin });
  }
  const result = await scenarios[config.scenario](visit);
  writeFileSync(config.result, JSON.stringify({ ...result, ...visit.notes, hosts: [...new Set(visit.notes.hosts)] }));
} catch (error) {
  await page.screenshot({ path: `${config.out}/failed.png` }).catch(() => {});
  const seen = await page.locator("body").innerText().catch(() => "");
  console.error(error, "\nthe page said:", seen, "\nthe console said:", visit.notes);
  process.exitCode = 1;
} finally {
  await context.close();
}
