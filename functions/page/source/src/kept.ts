/** What is kept for this tab alone, and over a reload of it: the browser forgets it when the tab is closed. */

import { effect, signal, type Signal } from "@preact/signals";

/** A signal whose value outlives a reload. Where the browser keeps nothing, as some do for privacy, it is a plain one. */
export function kept(name: string): Signal<string> {
  const made = signal(read(name));
  effect(() => write(name, made.value));
  return made;
}

function read(name: string): string {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch (error) {
    if (error instanceof DOMException) return ""; // SecurityError: storage is switched off
    throw error;
  }
}

function write(name: string, value: string): void {
  try {
    if (value === "") sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // switched off, or full: then it lasts until the reload
  }
}
