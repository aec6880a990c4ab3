/** The list, read from the service page by page: the first at once, the others when they are wanted. */

import { signal } from "@preact/signals";
import { call, CallFailed } from "./api";
import { sentenceFor } from "./failures";
import { readJobs } from "./jobs";
import { learn, total } from "./store";

const FIRST = 200; // soon there
const LATER = 1_000; // soon at the end of a long list

export type Older = "none" | "there" | "coming" | "failed";

/** Whether the service has older jobs than this page knows of. */
export const older = signal<Older>("none");
/** Why the last page did not come. */
export const trouble = signal("");

let token: string | null = null;
let visit = 0; // a page that comes after somebody signed out is nobody's

/** The newest page, also to check a `key` that is not in use yet. Throws `CallFailed`. */
export async function first(key?: string): Promise<void> {
  visit += 1;
  const mine = visit;
  const found = readJobs((await call("GET", `/download?count=${FIRST}`, key === undefined ? {} : { key })).body);
  if (mine !== visit) return;
  take(found);
}

/** The next page, unless there is none or it is already on its way. */
export async function next(): Promise<void> {
  if (token === null || older.value === "coming") return;
  const mine = visit;
  older.value = "coming";
  try {
    const path = `/download?count=${LATER}&next_token=${encodeURIComponent(token)}`;
    const found = readJobs((await call("GET", path)).body);
    if (mine === visit) take(found);
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    if (mine !== visit) return;
    trouble.value = sentenceFor(error.failure);
    older.value = "failed";
  }
}

/** Forget everybody's, and what is still on its way. */
export function clear(): void {
  visit += 1;
  token = null;
  older.value = "none";
  trouble.value = "";
}

function take(found: ReturnType<typeof readJobs>): void {
  token = found.nextToken;
  total.value = found.total;
  older.value = token === null ? "none" : "there";
  trouble.value = "";
  learn(found.jobs);
}
