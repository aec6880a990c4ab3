/** All jobs that this page knows of, and how they change. */

import { computed, signal } from "@preact/signals";
import { say } from "./announce";
import { face, titleOf, type Face, type Job } from "./jobs";

const SETTLING_MS = 10_000; // how long a reply may have been under way that does not know a new job yet
const NEWEST = 50; // of which the service tells in any case

export const jobs = signal<ReadonlyMap<string, Job>>(new Map());
/** Whether the service has told of any list at all. */
export const isKnown = signal(false);
/** How many there are at the service. */
export const total = signal(0);

/** Ids, newest first: they sort by age. */
export const newestFirst = computed(() => [...jobs.value.keys()].sort((one, other) => (one < other ? 1 : -1)));
export const underWay = computed(() => [...jobs.value.values()].filter((job) => job.status === "processing").length);

const removed = new Set<string>(); // a reply that was under way may still have them
const addedAt = new Map<string, number>(); // by the clock that nobody sets, see performance.now

/** Take in jobs as the service shows them. */
export function learn(found: Iterable<Job>): void {
  const known = new Map(jobs.value);
  for (const job of found) {
    if (removed.has(job.id)) continue;
    const before = known.get(job.id);
    known.set(job.id, joined(before, job));
    if (before !== undefined) tellEnd(before, job);
  }
  jobs.value = known;
  isKnown.value = true;
}

/** What was made by this page just now. */
export function add(job: Job): void {
  addedAt.set(job.id, performance.now());
  if (!jobs.value.has(job.id)) total.value += 1;
  learn([job]);
}

/** Forget a job, and the items of a playlist with it. */
export function forget(id: string): void {
  const known = new Map(jobs.value);
  for (const job of jobs.value.values()) {
    if (job.id !== id && job.playlistId !== id) continue;
    removed.add(job.id);
    known.delete(job.id);
    total.value = Math.max(0, total.value - 1);
  }
  jobs.value = known;
}

/** Forget everybody's: somebody else may sign in. */
export function clear(): void {
  removed.clear();
  addedAt.clear();
  total.value = 0;
  isKnown.value = false;
  jobs.value = new Map();
}

export interface Doubt {
  lost: string[]; // jobs that were removed elsewhere
  unsure: string[]; // jobs that were under way and are not told of any more
  isGap: boolean; // between these and the ones known before there may be others
}

/** What news, newest first, say about the jobs that are not in them. To be asked before they are learnt. */
export function doubts(news: readonly Job[], count: number): Doubt {
  const told = new Set(news.map((job) => job.id));
  const oldest = news.length > NEWEST - 1 ? (news[NEWEST - 1]?.id ?? "") : "";
  const missing = [...jobs.value.values()].filter((job) => !told.has(job.id) && !isFresh(job.id));
  const newestKnown = newestFirst.value.find((id) => !isFresh(id)) ?? "";
  return {
    lost: missing.filter((job) => job.id > oldest).map((job) => job.id),
    unsure: missing.filter((job) => job.id <= oldest && job.status === "processing").map((job) => job.id),
    isGap: count > NEWEST && oldest !== "" && newestKnown < oldest,
  };
}

function isFresh(id: string): boolean {
  return performance.now() - (addedAt.get(id) ?? -SETTLING_MS) < SETTLING_MS;
}

/** A row that leaves out what a longer one has told does not make the page forget it. */
function joined(before: Job | undefined, job: Job): Job {
  if (before === undefined || job.isWhole) return job;
  if (before.status === job.status) {
    return { ...before, name: job.name, progress: job.progress, error: job.error, errorCode: job.errorCode || before.errorCode };
  }
  const { url, title, isAudio, playlistId, playlistIndex, items } = before;
  return { ...job, url, title, isAudio, playlistId, playlistIndex, items };
}

const ENDS: Partial<Record<Face, string>> = { done: "is done", failed: "failed", cancelled: "was cancelled" };

function tellEnd(before: Job, job: Job): void {
  if (before.status !== "processing" || job.status === "processing" || job.playlistId !== "") return;
  const end = ENDS[face(job)];
  if (end !== undefined) say(`${titleOf(job)} ${end}.`);
}
