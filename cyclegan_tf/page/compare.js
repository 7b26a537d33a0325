/** Before and after on top of each other, with a line to move: by pointer, touch, or the range input underneath. */

// Small images are enlarged on the screen, but not beyond what still looks like an image.
const ENLARGED = 2;
const MIN_WIDTH_PX = 320;

export class Compare {
  constructor(element) {
    this.element = element;
    this.before = element.querySelector("#before");
    this.after = element.querySelector("#after");
    this.range = element.querySelector("input");
    this.range.addEventListener("input", () => this.#place());
    element.addEventListener("pointerdown", (event) => this.#grab(event));
    element.addEventListener("pointermove", (event) => this.#drag(event));
    this.#place();
  }

  /** Shows the original alone, veiled while it is being translated. */
  preview(original, name) {
    this.#draw(this.before, original, `Before: ${name}`);
    this.element.classList.add("alone");
    this.element.hidden = false;
    this.range.disabled = true;
    const widest = Math.max(ENLARGED * original.width, MIN_WIDTH_PX);
    this.element.style.setProperty("--widest", `${widest}px`);
    this.element.style.setProperty("--ratio", String(original.width / original.height));
  }

  /** Adds the translation. */
  reveal(translated, name) {
    this.#draw(this.after, translated, `After: ${name}, translated`);
    this.element.classList.remove("alone");
    this.range.disabled = false;
    this.range.value = "50";
    this.#place();
  }

  /** Whether the veil lies on the original. */
  set busy(value) {
    this.element.classList.toggle("busy", value);
  }

  hide() {
    this.element.hidden = true;
  }

  #draw(canvas, image, label) {
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    canvas.setAttribute("aria-label", label);
  }

  #place() {
    const share = Number(this.range.value);
    this.element.style.setProperty("--split", `${share}%`);
    this.range.setAttribute("aria-valuetext", `${share} % before, ${100 - share} % after`);
  }

  #grab(event) {
    if (this.range.disabled || event.button !== 0) {
      return;
    }
    this.element.setPointerCapture(event.pointerId);
    this.range.focus({ preventScroll: true });
    this.#drag(event);
    event.preventDefault();
  }

  #drag(event) {
    if (!this.element.hasPointerCapture(event.pointerId)) {
      return;
    }
    const box = this.element.getBoundingClientRect();
    this.range.value = String(Math.round((100 * (event.clientX - box.left)) / box.width));
    this.#place();
  }
}
