/** Submitting what was typed. Nothing that was typed is lost, and no line becomes two jobs. */

import { lines, type Line } from "./addresses";
import { say } from "./announce";
import { call, CallFailed, isObject, type Failure } from "./api";
import { now } from "./clock";
import { lookAt } from "./details";
import { sentenceFor, UNKNOWN_KEY } from "./failures";
import { readJob, type Job } from "./jobs";
import { kept } from "./kept";
import { atEnd, ofVisit, signOut, visit } from "./session";
import { add } from "./store";
import { counted } from "./words";

/** What stands in the box. */
export const draft = kept("reelhaul.draft");
/** Why lines are still in it. */
export const refusals = ofVisit<readonly { text: string; sentence: string }[]>([]);
/** What is the matter with all that is left; empty while nothing is. */
export const complaint = ofVisit("");
/** How far it has come, `null` while nothing is being submitted. */
export const sending = ofVisit<{ done: number; of: number } | null>(null);

// The keys of requests whose answer did not come. Kept with the draft: the same request is the same job after a reload.
const unanswered = kept("reelhaul.unanswered");

atEnd((isAsked) => {
  if (!isAsked) return;
  draft.value = "";
  unanswered.value = "";
});

/** Submit the box, one line after the other, with the same `fields`. What could not be is left in it with a reason. */
export async function submit(fields: Record<string, unknown>): Promise<void> {
  if (sending.value !== null) return;
  const mine = visit;
  const typed = lines(draft.value);
  reset();
  if (typed.length === 0) {
    complaint.value = "Paste the address of a page or file with a video first.";
    return;
  }
  const wanted = typed.filter((line) => line.complaint === "");
  const good = wanted.filter((line, index) => wanted.findIndex((each) => each.url === line.url) === index);
  refusals.value = typed.filter((line) => line.complaint !== "").map(({ text, complaint: sentence }) => ({ text, sentence }));
  sending.value = { done: 0, of: good.length };
  const added = await inOrder(good, fields);
  if (mine !== visit) return;
  sending.value = null;
  if (added > 0) say(`${counted(added, "download")} added.`);
}

export function reset(): void {
  refusals.value = [];
  complaint.value = "";
}

async function inOrder(good: Line[], fields: Record<string, unknown>): Promise<number> {
  let added = 0;
  for (const [index, line] of good.entries()) {
    try {
      add(await create({ stream_link: line.url, ...fields }, line.url));
      added += 1;
      takeOut(line.url);
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      if (stops(error.failure)) break;
      refusals.value = [...refusals.value, { text: line.text, sentence: sentenceFor(error.failure) }];
    }
    sending.value = { done: index + 1, of: good.length };
  }
  return added;
}

/** Whether the next line would fare no better. Says why, then. */
function stops(failure: Failure): boolean {
  if (failure.kind === "left") return true;
  if (failure.kind === "refused" && failure.status === 401) {
    signOut(UNKNOWN_KEY);
    return true;
  }
  const isOfThisLine = failure.kind === "refused" && [400, 403, 413, 422].includes(failure.status) && isOfUrl(failure.field);
  if (isOfThisLine) return false;
  const again = failure.kind === "refused" ? "" : " Then press Fetch again: no line becomes two downloads.";
  complaint.value = sentenceFor(failure) + again;
  return true;
}

function isOfUrl(field: string): boolean {
  return field === "" || field === "url" || field === "stream_link";
}

async function create(body: Record<string, unknown>, url: string): Promise<Job> {
  const name = JSON.stringify(body);
  const open = readUnanswered();
  const idempotencyKey = open[name] ?? fresh();
  unanswered.value = JSON.stringify({ ...open, [name]: idempotencyKey });
  try {
    const reply = await call("POST", "/download", { body, headers: { "Idempotency-Key": idempotencyKey } });
    answered(name);
    const job = made(reply.body, url, body);
    if (open[name] !== undefined) void lookAt(job.id); // it may have been made, and have ended, long ago
    return job;
  } catch (error) {
    if (error instanceof CallFailed && error.failure.kind === "refused" && error.failure.status < 500) answered(name);
    throw error;
  }
}

function answered(name: string): void {
  const { [name]: _, ...others } = readUnanswered();
  unanswered.value = Object.keys(others).length > 0 ? JSON.stringify(others) : "";
}

function readUnanswered(): Record<string, string> {
  return unanswered.value === "" ? {} : (JSON.parse(unanswered.value) as Record<string, string>); // we wrote it ourselves
}

/** Random, as long as a UUID; `crypto.randomUUID` is not there over plain HTTP. */
function fresh(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function made(body: unknown, url: string, wanted: Record<string, unknown>): Job {
  const data = isObject(body) && isObject(body["data"]) ? body["data"] : {};
  const createdAt = new Date(now()).toISOString();
  return readJob({ ...data, url, download_type: wanted["download_type"], created_at: createdAt, progress: 0 });
}

/** An address out of the box, wherever it stands for itself; what else was typed, also meanwhile, stays. */
function takeOut(url: string): void {
  const left = draft.value.split("\n").flatMap((line) => without(line, url));
  draft.value = left.some((line) => line.trim() !== "") ? left.join("\n") : "";
}

function without(line: string, url: string): string[] {
  const there = lines(line);
  if (there.every((each) => each.url !== url)) return [line];
  const others = there.filter((each) => each.url !== url);
  return others.length > 0 ? [others.map((each) => each.text).join(" ")] : [];
}
