"""What is seen on a page, and when: a script that looks at every frame, and where each side has it.

A picture in the grid is seen when its ``<img>`` is complete, has a width, and lies in the viewport
and in what scrolls it.
"""

from __future__ import annotations

WATCH = """
window.bench = (() => {
  const side = SIDE;
  const log = { grid: [], whole: [], count: [], large: [], picked: [] };
  const last = {};
  const note = (what, value) => {
    if (last[what] === value) return;
    last[what] = value;
    log[what].push([performance.timeOrigin + performance.now(), value]);
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, (event) => {
    sessionStorage.setItem("began", performance.timeOrigin + event.timeStamp);
  }, { capture: true });
  const shown = (image) => Boolean(image?.complete && image.naturalWidth > 0);
  const place = (image, stage) => {
    const box = image.getBoundingClientRect();
    const top = Math.max(stage.top, 0), left = Math.max(stage.left, 0);
    const bottom = Math.min(stage.bottom, innerHeight), right = Math.min(stage.right, innerWidth);
    const some = box.width > 0 && box.height > 0 && box.bottom > top && box.top < bottom
      && box.right > left && box.left < right;
    const whole = some && box.top >= top - 1 && box.bottom <= bottom + 1
      && box.left >= left - 1 && box.right <= right + 1;
    return { image, some, whole, box };
  };
  const places = () => {
    const stage = document.querySelector(side.stage)?.getBoundingClientRect();
    if (!stage) return [];
    const images = [...document.querySelectorAll(side.pictures)];
    return images.map((image) => place(image, stage)).filter((p) => p.some);
  };
  let drawn = null;
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (image, ...rest) {
    draw.call(this, image, ...rest);
    if (!(image instanceof HTMLImageElement) || !shown(image)) return;
    drawn = side.large_id(image.src) ?? drawn;
  };
  const large = () => {
    const image = document.querySelector(side.large);
    return shown(image) ? side.large_id(image.src) : drawn;
  };
  const bench = {
    log, wanted: null,
    began: () => Number(sessionStorage.getItem("began")),
    since: (what, test, from) => {
      const found = log[what].find(([at, value]) => at >= from && test(value));
      return found ? found[0] - from : 0;
    },
    atRest: () => {
      const whole = places().filter((p) => p.whole && shown(p.image));
      const { box, image } = whole[0];
      const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
      return {
        whole: whole.length, width: Math.round(scale * image.naturalWidth),
        height: Math.round(scale * image.naturalHeight), ids: whole.map((p) => side.id(p.image)),
      };
    },
  };
  const look = () => {
    const all = places();
    if (all.length) {
      const seen = all.filter((p) => shown(p.image));
      note("grid", seen.length);
      note("whole", seen.filter((p) => p.whole).length);
      const all_picked = all.every((p) => bench.wanted?.has(side.id(p.image)));
      note("picked", all_picked ? seen.length : 0);
    }
    const count = side.count();
    if (count !== null) note("count", count);
    const now = large();
    if (now) note("large", now);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  return bench;
})();
"""

OURS = """{
  stage: "[data-stage]", pictures: ".cell img", large: "img[data-first]",
  id: (image) => image.src.match(/images\\/([0-9a-f]{64})\\//)?.[1],
  large_id: (address) => address.match(/images\\/([0-9a-f]{64})\\/picture/)?.[1],
  count: () => {
    const text = document.querySelector("[data-total]")?.textContent ?? "";
    return /^[0-9,]+$/.test(text) ? Number(text.replaceAll(",", "")) : null;
  },
}"""

THEIRS = """{
  stage: "[data-testid=images-grid]", pictures: "[data-testid=sample-grid-item] img",
  large: "[data-testid=sample-details] foreignObject img",
  id: (image) => image.closest("[data-sample-name]").dataset.sampleName.split(".")[0],
  large_id: (address) => address.match(/sample\\/([0-9a-f-]{36})/)?.[1],
  count: () => {
    const shown = [...document.querySelectorAll("span.font-medium")]
      .map((e) => e.textContent.match(/^Showing ([0-9,]+)/)).find(Boolean);
    return shown ? Number(shown[1].replaceAll(",", "")) : null;
  },
}"""
