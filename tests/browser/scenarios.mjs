/** Uses of the page; each returns what the Python test checks. */

/** Every way in, the slider, both directions, saving; at a desk. */
async function tour(visit) {
  const { page, config } = visit;
  const { square, other, turned, broken } = config.files;
  await visit.open();
  await visit.ready();
  await visit.shot("1280-empty.png");
  const result = { violations: await visit.violations(), privacy: await visit.words("#privacy"), title: await page.title() };

  await visit.drop(square);
  result.dropped = await visit.translated();
  result.name = await visit.save("square_xy.png");
  result.both = await visit.save("square_both.png", "#save-both");
  await visit.shot("1280-translated.png");
  result.violations.push(...(await visit.violations()));
  result.labels = await page.locator("canvas").evaluateAll((each) => each.map((canvas) => canvas.getAttribute("aria-label")));

  result.slider = await sliders(visit);

  await visit.forget();
  await page.locator("label", { hasText: "B to A" }).click();
  await visit.translated();
  await visit.save("square_yx.png");
  await visit.forget();
  await page.locator("label", { hasText: "A to B" }).click();
  await visit.translated();
  await visit.save("square_xy_again.png");

  await visit.paste(other);
  result.pasted = await visit.translated();
  await visit.save("other_xy.png");

  await visit.pick(turned);
  result.picked = await visit.translated();
  await visit.save("turned_xy.png");

  await visit.drop(broken);
  result.broken = await visit.problem();
  await visit.shot("1280-problem.png");
  result.violations.push(...(await visit.violations()));

  await visit.drop(square, other);
  result.several = await visit.translated();
  result.problemGone = await page.locator("#problem").isHidden();
  await visit.save("square_after_broken.png");
  return result;
}

async function sliders(visit) {
  const { page } = visit;
  const seen = [await visit.slider()];
  await page.locator("#save").focus();
  // Backwards past the toolbar: camera, file, and then the slider.
  for (let steps = 0; steps < 5 && !(await visit.slider()).focused; steps += 1) {
    await page.keyboard.press("Shift+Tab");
  }
  for (const key of ["ArrowRight", "Home", "End"]) {
    await page.keyboard.press(key);
    seen.push(await visit.slider());
  }
  const box = await page.locator("#compare").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2, { steps: 4 });
  seen.push(await visit.slider());
  await page.mouse.up();
  await page.mouse.move(box.x + box.width, box.y + box.height / 2);
  seen.push(await visit.slider());
  return seen;
}

/** A phone: narrow, dark, touched. */
async function phone(visit) {
  const { page, config } = visit;
  await visit.open();
  await visit.ready();
  await visit.shot("360-empty.png");
  const result = { violations: await visit.violations() };
  await visit.pick(config.files.photo);
  result.picked = await visit.translated();
  await visit.shot("360-translated.png");
  result.violations.push(...(await visit.violations()));
  const box = await page.locator("#compare").boundingBox();
  await page.touchscreen.tap(box.x + box.width * 0.8, box.y + box.height / 2);
  result.slider = await visit.slider();
  await visit.save("photo.png");
  await visit.drop(config.files.broken);
  result.broken = await visit.problem();
  await visit.shot("360-problem.png");
  result.violations.push(...(await visit.violations()));
  result.width = await page.evaluate(() => document.documentElement.scrollWidth);
  return result;
}

/** Nothing but the keyboard. */
async function keyboard(visit) {
  const { page, config } = visit;
  // From now on, as it takes the browser a moment to hand its file dialog over.
  page.on("filechooser", () => {});
  await visit.open();
  await visit.ready();
  const focused = () =>
    page.evaluate(() => {
      const { id, value, name } = document.activeElement;
      return name === "direction" ? value : id;
    });
  const order = [];
  for (let step = 0; step < 3; step += 1) {
    await page.keyboard.press("Tab");
    order.push(await focused());
  }
  await page.keyboard.press("Shift+Tab");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
  await chooser.setFiles(config.files.square);
  const first = await visit.translated();
  for (let step = 0; step < 2; step += 1) {
    await page.keyboard.press("Tab");
    order.push(await focused());
  }
  await page.locator("#directions input:checked").focus();
  await visit.forget();
  await page.keyboard.press("ArrowRight");
  await visit.translated();
  await visit.shot("1280-focus.png");
  await page.locator("#save").focus();
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  return { order, first, name: download.suggestedFilename() };
}

/** Opens, waits until there is an image's translation or a problem. */
async function simple(visit) {
  await visit.open();
  await visit.ready();
  await visit.pick(visit.config.files.image);
  const said = await visit.translated();
  const again = visit.config.twice ? await repeated(visit) : "";
  await visit.save("image.png");
  await visit.shot("translated.png");
  const canvases = await visit.page.locator("#compare canvas").evaluateAll((each) => each.map(({ width, height }) => [width, height]));
  return { said, again, canvases, privacy: await visit.words("#privacy"), body: await visit.words("body") };
}

/** One image goes well, one does not, one goes well again. */
async function recovery(visit) {
  const { page, config } = visit;
  await visit.open();
  await visit.ready();
  await visit.pick(config.files.square);
  await visit.translated();
  await visit.pick(config.files.square);
  const said = await visit.problem();
  await visit.pick(config.files.square);
  await visit.translated();
  await visit.save("recovered.png");
  return { said, gone: await page.locator("#problem").isHidden() };
}

async function glance(visit) {
  await visit.open();
  await visit.ready();
  return { body: await visit.words("body"), violations: await visit.violations() };
}

async function repeated(visit) {
  await visit.pick(visit.config.files.image);
  return visit.translated();
}

async function fails(visit) {
  const { page, config } = visit;
  if (config.init) {
    await page.addInitScript(config.init);
  }
  await visit.open();
  if (config.files?.image) {
    await visit.pick(config.files.image);
  }
  const said = await visit.problem();
  await visit.shot("problem.png");
  return { said, busy: await page.locator("#compare.busy").count(), saves: await page.locator("#save").isEnabled() };
}

/** An image that is chosen before the page knows its models. */
async function early(visit) {
  const { page, config } = visit;
  let release;
  const chosen = new Promise((resolve) => (release = resolve));
  await page.route("**/models.json", async (route) => {
    await chosen;
    await route.continue();
  });
  await visit.open();
  await page.locator("#main").waitFor();
  await visit.pick(config.files.image);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 0)));
  release();
  return { said: await visit.translated() };
}

/** What the bar says while the server is slow. */
async function loading(visit) {
  const { page } = visit;
  await page.addInitScript(() => {
    globalThis.seen = [];
    addEventListener("DOMContentLoaded", () => {
      const text = document.getElementById("progress-text");
      const note = () => globalThis.seen.push([text.textContent, document.getElementById("progress").value]);
      new MutationObserver(note).observe(text, { childList: true, characterData: true, subtree: true });
    });
  });
  await visit.open();
  await page.locator("#loading:not([hidden])").waitFor();
  await page.waitForTimeout(300);
  await visit.shot("loading.png");
  const violations = await visit.violations();
  await visit.pick(visit.config.files.image);
  const said = await visit.translated();
  return { said, violations, seen: await page.evaluate(() => globalThis.seen), hidden: await page.locator("#loading").isHidden() };
}

async function camera(visit) {
  const { page } = visit;
  await visit.open();
  await visit.ready();
  await page.click("#use-camera");
  await page.locator("#camera").waitFor({ state: "visible" });
  await page.waitForFunction(() => document.getElementById("video").videoWidth > 0);
  await visit.shot("camera.png");
  const violations = await visit.violations();
  const track = await page.evaluateHandle(() => document.getElementById("video").srcObject.getTracks()[0]);
  await page.keyboard.press("Escape");
  // the dialog reports its closing in a task of its own, a moment later
  await page.waitForFunction(() => document.getElementById("video").srcObject === null);
  const stopped = await track.evaluate((it) => it.readyState === "ended");
  // turned and closed at once: the other camera is let go as soon as it is there
  await page.click("#use-camera");
  await page.locator("#camera").waitFor({ state: "visible" });
  const left = await page.evaluate(async () => {
    const given = [];
    const lend = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const stream = await lend(wanted);
      given.push(...stream.getTracks());
      return stream;
    };
    document.getElementById("camera-turn").click();
    document.getElementById("camera-turn").click();
    document.getElementById("camera-close").click();
    while (given.length < 2) await new Promise((after) => setTimeout(after, 20));
    await new Promise((after) => setTimeout(after, 300));
    navigator.mediaDevices.getUserMedia = lend;
    return given.filter((it) => it.readyState !== "ended").length;
  });
  await page.click("#use-camera");
  await page.waitForFunction(() => document.getElementById("video").videoWidth > 0);
  await page.click("#camera-take");
  const said = await visit.translated();
  const levels = await page.evaluate(() => {
    const canvas = document.getElementById("before");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(data).size;
  });
  return { violations, levels, stopped, left, said, closed: await page.locator("#camera").isHidden() };
}

/** A second image and a second direction before the first is done: the last one asked for is shown. */
async function hurry(visit) {
  const { page, config } = visit;
  await visit.open();
  await page.locator("label", { hasText: "B to A" }).click();
  await visit.pick(config.files.square);
  await visit.pick(config.files.other);
  await page.locator("label", { hasText: "A to B" }).click();
  await visit.translated();
  await visit.page.waitForTimeout(1000);
  return { name: await visit.save("last.png"), busy: await page.locator("#compare.busy").count() };
}

/** Opened by a double-click. */
async function folder(visit) {
  await visit.open();
  await visit.page.locator("#not-started").waitFor();
  await visit.page.waitForFunction(() => getComputedStyle(document.getElementById("not-started")).visibility === "visible");
  await visit.shot("folder.png");
  return { said: await visit.words("#not-started") };
}

export const scenarios = { tour, phone, keyboard, simple, glance, recovery, fails, early, loading, camera, hurry, folder };
