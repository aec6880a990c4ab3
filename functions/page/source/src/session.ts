/** Who uses this page: the key, for as long as the tab is open, and what lasts as long as one visit. */

import { batch, signal, type Signal } from "@preact/signals";
import { kept } from "./kept";

/** The access key in use, empty while nobody is signed in. It is sent to the page's own origin and nowhere else. */
export const key = kept("reelhaul.key");

/** Why the sign-in is shown again, where it was not asked for. */
export const farewell = signal("");

/** Counts the visits. What was begun in one is nothing to the next, which may be somebody else's. */
export let visit = 0;

const endings: ((isAsked: boolean) => void)[] = [];

/** Have `forget` called at the end of each visit, and told whether its user asked for that end. */
export function atEnd(forget: (isAsked: boolean) => void): void {
  endings.push(forget);
}

/** A signal that is `initial` again for whoever comes next. */
export function ofVisit<Value>(initial: Value): Signal<Value> {
  const made = signal(initial);
  atEnd(() => (made.value = initial));
  return made;
}

/** `why` it has to be, where nobody asked for it: then nothing that was typed is lost. */
export function signOut(why = ""): void {
  visit += 1;
  batch(() => {
    farewell.value = why;
    key.value = "";
    endings.forEach((forget) => forget(why === ""));
  });
}
