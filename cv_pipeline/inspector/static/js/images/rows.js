// Items of the grid by position: read in stretches, each once, the ones that are wanted now first.

import { api } from "../app.js";
import { parameters } from "./state.js";

const STRETCH = 120;
const KEPT = 60;

export class Rows {
  /** @param {string} project @param {() => void} arrived called when items have come. */
  constructor(project, arrived) {
    this.project = project;
    this.arrived = arrived;
    this.begin({}, 0);
  }

  /** Forget everything: another state begins. */
  begin(state, total) {
    this.controller?.abort();
    this.controller = new AbortController();
    this.state = state;
    this.total = total;
    this.stretches = new Map();
    this.own = new Map();
  }

  /** Items that are known already, from a position on. */
  add(start, items) {
    items.forEach((item, at) => this.own.set(start + at, item));
  }

  /** The item at a position; undefined while it is not here yet. */
  at(position) {
    return this.own.get(position) ?? this.stretches.get(Math.floor(position / STRETCH))?.items?.[position % STRETCH];
  }

  /** See to it that positions from one to another are here soon. */
  want(from, to) {
    for (let n = Math.floor(from / STRETCH); n <= Math.floor(Math.max(from, to - 1) / STRETCH); n++) {
      if (n * STRETCH < this.total && !this.stretches.has(n) && !this.have(n)) this.read(n);
    }
  }

  /** The item at a position, read when it is not here. */
  async get(position) {
    if (!this.at(position)) await (this.stretches.get(Math.floor(position / STRETCH))?.coming ?? this.read(Math.floor(position / STRETCH)));
    return this.at(position);
  }

  have(n) {
    for (let at = n * STRETCH; at < Math.min((n + 1) * STRETCH, this.total); at++) if (!this.own.has(at)) return false;
    return true;
  }

  read(n) {
    const asked = parameters(this.state);
    asked.set("start", n * STRETCH);
    asked.set("count", STRETCH);
    const { signal } = this.controller;
    const stretch = { items: null, coming: null };
    stretch.coming = api("GET", `/p/${encodeURIComponent(this.project)}/images/rows?${asked}`, undefined, { signal })
      .then((answer) => {
        stretch.items = answer.items;
        for (const old of this.stretches.keys()) {
          if (this.stretches.size <= KEPT) break;
          if (old !== n) this.stretches.delete(old);
        }
        this.arrived();
      })
      .catch((error) => {
        if (this.stretches.get(n) === stretch) this.stretches.delete(n);
        if (error.name !== "AbortError") throw error;
      });
    this.stretches.set(n, stretch);
    return stretch.coming;
  }
}
