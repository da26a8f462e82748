// Images that are selected one by one, in rows, or all at once.

export class Choosing {
  /** @param {() => void} changed */
  constructor(changed) {
    this.ids = new Set();
    this.all = false;
    this.last = null;
    this.changed = changed;
  }

  has(id) {
    return this.all || this.ids.has(id);
  }

  get any() {
    return this.all || this.ids.size > 0;
  }

  /** Select an image, or take that back; with `range`, all known ones from the last position on. */
  toggle(position, item, { range = false, at }) {
    if (this.all) {
      this.all = false;
      this.ids.clear();
    }
    if (range && this.last !== null) {
      const [from, to] = [Math.min(this.last, position), Math.max(this.last, position)];
      for (let n = from; n <= to; n++) {
        const found = at(n);
        if (found) this.ids.add(found.id);
      }
    } else if (this.ids.has(item.id)) this.ids.delete(item.id);
    else this.ids.add(item.id);
    this.last = position;
    this.changed();
  }

  everything() {
    this.all = true;
    this.ids.clear();
    this.changed();
  }

  clear() {
    this.all = false;
    this.last = null;
    this.ids.clear();
    this.changed();
  }
}
