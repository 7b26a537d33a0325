/** One visit to the page by a real browser: what a person does, and what the browser noted meanwhile. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export class Visit {
  constructor(context, page, config) {
    Object.assign(this, { context, page, config });
    this.notes = { errors: [], warnings: [], hosts: [], requests: [] };
    page.on("console", (message) => {
      const kinds = { error: this.notes.errors, warning: this.notes.warnings };
      kinds[message.type()]?.push(message.text());
    });
    page.on("pageerror", (error) => this.notes.errors.push(String(error)));
    context.on("request", (request) => {
      const { host, pathname, protocol } = new URL(request.url());
      if (protocol.startsWith("http")) {
        this.notes.hosts.push(host);
        this.notes.requests.push(pathname);
      }
    });
  }

  async open(url = this.config.url) {
    await this.page.goto(url);
  }

  async ready() {
    await this.page.locator("#status", { hasText: /^Ready/ }).waitFor();
  }

  /** Drags files from the desktop onto the page: trusted events, as a hand would cause them. */
  async drop(...files) {
    await this.forget();
    const box = await this.page.locator("#stage").boundingBox();
    const session = await this.context.newCDPSession(this.page);
    const data = { items: [], files, dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await session.send("Input.dispatchDragEvent", { type, x: box.x + box.width / 2, y: box.y + box.height / 2, data });
    }
  }

  /** Puts a PNG on the clipboard and presses Ctrl+V. */
  async paste(file) {
    await this.forget();
    await this.page.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
    }, readFileSync(file).toString("base64"));
    await this.page.keyboard.press("Control+V");
  }

  async pick(file) {
    await this.forget();
    await this.page.locator("#file").setInputFiles(file);
  }

  /** Waits for the translation and gives the words about it. */
  async translated() {
    await this.page.locator("#status", { hasText: /^Translated/ }).waitFor();
    return this.words("#status");
  }

  /** Waits for a problem and gives its words. */
  async problem() {
    await this.page.locator("#problem:not([hidden]) p").first().waitFor();
    return this.words("#problem");
  }

  async words(selector) {
    return (await this.page.locator(selector).innerText()).replace(/\s+/g, " ").trim();
  }

  /** Saves by the page's button; gives the name the browser was given. */
  async save(name, button = "#save") {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.page.click(button)]);
    await download.saveAs(join(this.config.out, name));
    return download.suggestedFilename();
  }

  async shot(name) {
    await this.page.screenshot({ path: join(this.config.out, name), fullPage: true });
  }

  /** Violations that axe finds, by rule and place. */
  async violations() {
    await this.page.evaluate(readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8"));
    const found = await this.page.evaluate(async () => (await globalThis.axe.run()).violations);
    return found.map((rule) => `${rule.id}: ${rule.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  }

  async slider() {
    return this.page.evaluate(() => {
      const range = document.getElementById("split");
      return {
        value: Number(range.value),
        text: range.getAttribute("aria-valuetext"),
        clip: getComputedStyle(document.getElementById("after")).clipPath,
        focused: document.activeElement === range,
      };
    });
  }

  /** Empties the line of words, so that the next ones are not those of before. */
  async forget() {
    await this.page.evaluate(() => {
      document.getElementById("status").textContent = "";
    });
  }
}
