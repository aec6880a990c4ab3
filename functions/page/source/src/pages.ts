/** The list, read from the service page by page: the first at once, the others when they are wanted. */

import { call, CallFailed } from "./api";
import { sentenceFor } from "./failures";
import { readJobs } from "./jobs";
import { atEnd, ofVisit } from "./session";
import { learn, moment, total } from "./store";

const FIRST = 200; // soon there
const LATER = 1_000; // soon at the end of a long list

export type Older = "none" | "there" | "coming" | "failed";

/** Whether the service has older jobs than this page knows of. */
export const older = ofVisit<Older>("none");
/** Why the last page did not come. */
export const trouble = ofVisit("");

let token: string | null = null;
let reading = 0; // a page that follows another first one than the last would leave a gap

atEnd(() => {
  reading += 1;
  token = null;
});

/** The newest page, also to check a `key` that is not in use yet. Throws `CallFailed`. */
export async function first(key?: string): Promise<void> {
  reading += 1;
  const mine = reading;
  const before = moment();
  const found = readJobs((await call("GET", `/download?count=${FIRST}`, key === undefined ? {} : { key })).body);
  if (mine === reading) take(found, before);
}

/** The next page, unless there is none or it is already on its way. */
export async function next(): Promise<void> {
  if (token === null || older.value === "coming") return;
  const mine = reading;
  const before = moment();
  older.value = "coming";
  try {
    const path = `/download?count=${LATER}&next_token=${encodeURIComponent(token)}`;
    const found = readJobs((await call("GET", path)).body);
    if (mine === reading) take(found, before);
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    if (mine !== reading) return;
    trouble.value = sentenceFor(error.failure);
    older.value = "failed";
  }
}

function take(found: ReturnType<typeof readJobs>, before: number): void {
  token = found.nextToken;
  total.value = found.total;
  older.value = token === null ? "none" : "there";
  trouble.value = "";
  learn(found.jobs, before);
}
