/** Who uses this page: the key, for as long as the tab is open. */

import { signal } from "@preact/signals";
import { kept } from "./kept";

/** The access key in use, empty while nobody is signed in. It is sent to the page's own origin and nowhere else. */
export const key = kept("reelhaul.key");

/** Why the sign-in is shown again, where it was not asked for. */
export const farewell = signal("");

export function signOut(why = ""): void {
  farewell.value = why;
  key.value = "";
}
