/** Who may ask for a job's details: what a user waits for comes before what is nice to have. */

import { CallFailed } from "./api";

const AT_ONCE = 3; // a browser has six connections to one host, and one of them waits for news

export interface Place {
  isUrgent: boolean;
  stop?: AbortSignal; // once it is set, who still waits goes without
}

interface Turn {
  go: () => void;
  giveUp: () => void;
}

let waiting: Turn[] = [];
let busy = 0;

/** Wait for a turn, which `turnEnds` ends. Throws `CallFailed` where it is not wanted any more. */
export async function turn({ isUrgent, stop }: Place): Promise<void> {
  if (busy < AT_ONCE) {
    busy += 1;
    return;
  }
  await new Promise<void>((go, fail) => {
    const mine = { go, giveUp: () => fail(new CallFailed({ kind: "left" })) };
    if (isUrgent) waiting.unshift(mine);
    else waiting.push(mine);
    stop?.addEventListener("abort", () => leave(mine), { once: true });
  });
}

/** The next one's begins. */
export function turnEnds(): void {
  const next = waiting.shift();
  if (next === undefined) busy -= 1;
  else next.go();
}

/** Nobody who waits is there any more. */
export function clearTurns(): void {
  const all = waiting;
  waiting = [];
  all.forEach((each) => each.giveUp());
}

function leave(mine: Turn): void {
  if (!waiting.includes(mine)) return;
  waiting = waiting.filter((each) => each !== mine);
  mine.giveUp();
}
