// More for the recording's player than the browser's own controls: skipping, speed.
const audio = document.querySelector("[data-player]");
const controls = document.querySelector("[data-controls]");

if (audio && controls) {
  controls.hidden = false;
  controls.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.skip) {
      audio.currentTime = Math.max(0, audio.currentTime + Number(button.dataset.skip));
    }
    if (button.dataset.rate) {
      audio.playbackRate = Number(button.dataset.rate);
      for (const one of controls.querySelectorAll("[data-rate]")) {
        one.setAttribute("aria-pressed", String(one === button));
      }
    }
  });
}
