// A window on a million rows: the scroll bar reaches every one of them, and only those in sight are
// laid out. Browsers cannot lay out more than some ten million pixels, so a longer sheet is
// compressed: the scroll bar then jumps by shares, while wheel and keys still move pixel by pixel.

const LONGEST = 8_000_000;

export class Scroller {
  /**
   * @param {HTMLElement} stage what scrolls.
   * @param {HTMLElement} sheet what lies in it.
   * @param {(jumped: boolean) => void} moved called when what is in sight has changed.
   */
  constructor(stage, sheet, moved) {
    this.stage = stage;
    this.sheet = sheet;
    this.top = 0;
    this.height = 0;
    this.last = 0;
    this.moved = moved;
    stage.addEventListener("scroll", () => this.onScroll(), { passive: true });
  }

  /** Height of what is in sight. */
  get sight() {
    return this.stage.clientHeight;
  }

  /** Whether the sheet is longer than can be laid out. */
  get compressed() {
    return this.height > LONGEST;
  }

  /** Set the height of the whole sheet, and go to a place in it. */
  resize(height, top) {
    this.height = height;
    this.sheet.style.height = `${Math.min(height, LONGEST)}px`;
    this.to(top);
  }

  /** Go to a place. */
  to(top) {
    this.top = Math.max(0, Math.min(top, this.height - this.sight));
    this.last = Math.round(this.compressed ? (this.top / (this.height - this.sight)) * (LONGEST - this.sight) : this.top);
    this.stage.scrollTop = this.last;
    this.last = this.stage.scrollTop;
    this.moved(true);
  }

  /** Where a place of the sheet is drawn. */
  place(y) {
    return this.compressed ? y - this.top + this.stage.scrollTop : y;
  }

  onScroll() {
    const now = this.stage.scrollTop;
    const moved = now - this.last;
    if (moved === 0) return;
    const jumped = Math.abs(moved) > 2 * this.sight;
    const end = LONGEST - this.sight;
    if (!this.compressed) this.top = now;
    else if (jumped || now <= 0 || now >= end - 1) this.top = Math.min(1, now / end) * (this.height - this.sight);
    else this.top = Math.max(0, Math.min(this.top + moved, this.height - this.sight));
    this.last = now;
    this.moved(jumped);
  }
}
