/** What is said to those who do not see the page. Only ends and answers: progress would never let anybody else speak. */

import { atEnd, ofVisit } from "./session";

export const said = ofVisit("");

let pending: string[] = [];
let timer = 0;

atEnd(() => {
  pending = [];
  window.clearTimeout(timer);
});

/** Have `sentence` read out when the reader is free. What comes within a moment is said at once. */
export function say(sentence: string): void {
  pending.push(sentence);
  said.value = ""; // the same sentence once more would be no change, and what does not change is not read out
  window.clearTimeout(timer);
  timer = window.setTimeout(speak, 150);
}

function speak(): void {
  const many = pending.length > 3;
  said.value = many ? `${pending.slice(0, 2).join(" ")} And ${pending.length - 2} more.` : pending.join(" ");
  pending = [];
}
