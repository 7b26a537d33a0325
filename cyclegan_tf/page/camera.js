/** The camera in a dialog: what it sees, one button to take a photo. */
import { pngOf } from "./images.js";
import { Problem } from "./problems.js";

const REASONS = {
  NotAllowedError: ["The browser was not allowed to use the camera.", "Allow it in the address bar, then try again."],
  NotFoundError: ["No camera was found.", "Connect one, or choose a file."],
  NotReadableError: ["The camera is in use by another program.", "Close that program, then try again."],
};

export class Camera {
  /** @param onPhoto is given the File of each photo taken. */
  constructor(dialog, onPhoto) {
    this.dialog = dialog;
    this.video = dialog.querySelector("video");
    this.take = dialog.querySelector("#camera-take");
    this.turn = dialog.querySelector("#camera-turn");
    this.facing = "environment";
    this.stream = null;
    dialog.addEventListener("close", () => this.#stop());
    dialog.querySelector("#camera-close").addEventListener("click", () => dialog.close());
    this.turn.addEventListener("click", () => this.#turned());
    this.take.addEventListener("click", async () => this.video.videoWidth && onPhoto(await this.#photo()));
  }

  /** Shows the dialog. Throws a Problem when there is no camera, or no leave to use it. */
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      const advice = "Open it that way, or choose a file.";
      throw new Problem("Browsers lend the camera only to pages from https:// or localhost.", advice);
    }
    await this.#start();
    this.dialog.showModal();
    this.take.focus();
  }

  async #start() {
    this.#stop();
    let stream;
    try {
      const wanted = { facingMode: { ideal: this.facing }, width: { ideal: 1280 }, height: { ideal: 1280 } };
      stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    } catch (error) {
      throw new Problem(...(REASONS[error.name] ?? [`The camera could not be started (${error.message}).`, "Choose a file instead."]));
    }
    this.#stop(); // what another click has started meanwhile
    this.stream = stream;
    this.video.srcObject = stream;
    const devices = await navigator.mediaDevices.enumerateDevices();
    this.turn.hidden = devices.filter((device) => device.kind === "videoinput").length < 2;
  }

  async #turned() {
    this.facing = this.facing === "user" ? "environment" : "user";
    await this.#start().catch(() => this.dialog.close());
    if (!this.dialog.open) this.#stop(); // closed while the other camera was starting
  }

  async #photo() {
    const canvas = document.createElement("canvas");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    this.dialog.close();
    return new File([await pngOf(canvas)], "camera.png", { type: "image/png" });
  }

  #stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
  }
}
