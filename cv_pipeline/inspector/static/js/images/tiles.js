// The pixels of a picture: as one file while it is small, in tiles of the fitting level when large.

const TILE = 512;
const WHOLE = 2048;
const KEPT = 160;

export class Tiles {
  /** @param {() => void} arrived called when something can be drawn that could not before. */
  constructor(arrived) {
    this.arrived = arrived;
    this.tiles = new Map();
    this.old = null;
  }

  /**
   * Begin a picture.
   * @param {{whole: (size: number) => string, tile: (level: number, x: number, y: number) => string, failed: () => void}} source addresses.
   */
  begin(width, height, source, { keep = false } = {}) {
    this.old = keep ? (this.whole?.ready ? this.whole : this.old) : null;
    Object.assign(this, { width, height, source, large: Math.max(width, height) > WHOLE });
    for (const tile of this.tiles.values()) if (!tile.ready) tile.image.src = "";
    this.tiles = new Map();
    this.whole = this.load(source.whole(this.large ? 1024 : WHOLE), source.failed);
  }

  load(address, failed) {
    const image = new Image();
    const tile = { image, ready: false, failed: false };
    image.decoding = "async";
    image.onload = () => { tile.ready = true; this.arrived(); };
    image.onerror = () => { tile.failed = true; if (image.getAttribute("src")) failed?.(); };
    image.src = address;
    return tile;
  }

  /** Draw what is seen, best first; says whether anything was drawn. */
  paint(context, view, seen, ratio, still) {
    const whole = this.whole?.ready ? this.whole.image : this.old?.image ?? (still?.complete && still.naturalWidth ? still : null);
    if (whole) context.drawImage(whole, view.x, view.y, this.width * view.scale, this.height * view.scale);
    if (!this.large || seen.x1 <= seen.x0 || seen.y1 <= seen.y0) return Boolean(whole);
    const most = Math.max(0, Math.ceil(Math.log2(Math.max(this.width, this.height) / TILE)));
    const level = Math.max(0, Math.min(most, Math.floor(Math.log2(1 / (view.scale * ratio)) + 0.3)));
    const across = TILE * 2 ** level;
    if (Math.max(this.width, this.height) / 2 ** level <= 1024) return Boolean(whole); // the whole is as fine
    for (let y = Math.floor(seen.y0 / across); y * across < seen.y1; y++) {
      for (let x = Math.floor(seen.x0 / across); x * across < seen.x1; x++) {
        const tile = this.tile(level, x, y);
        if (!tile.ready) continue;
        const [w, h] = [Math.min(across, this.width - x * across), Math.min(across, this.height - y * across)];
        context.drawImage(tile.image, view.x + x * across * view.scale, view.y + y * across * view.scale, w * view.scale, h * view.scale);
      }
    }
    return true;
  }

  tile(level, x, y) {
    const name = `${level}/${x}/${y}`;
    let tile = this.tiles.get(name);
    if (tile) {
      this.tiles.delete(name); // to the end: used last
    } else {
      tile = this.load(this.source.tile(level, x, y));
      while (this.tiles.size >= KEPT) this.tiles.delete(this.tiles.keys().next().value);
    }
    this.tiles.set(name, tile);
    return tile;
  }
}
