/** All jobs that this page knows of, and how they change. */

import { computed } from "@preact/signals";
import { say } from "./announce";
import { face, titleOf, type Face, type Job } from "./jobs";
import { atEnd, ofVisit } from "./session";

const SETTLING_MS = 10_000; // how long a reply may have been under way that does not know a new job yet
const NEWEST = 50; // of which the service tells in any case
const MOST_UNDER_WAY = 200; // of which it tells, the newest of them

export const jobs = ofVisit<ReadonlyMap<string, Job>>(new Map());
/** Whether the service has told of any list at all. */
export const isKnown = ofVisit(false);
/** How many there are at the service. */
export const total = ofVisit(0);

/** Ids, newest first: they sort by age. */
export const newestFirst = computed(() => [...jobs.value.keys()].sort((one, other) => (one < other ? 1 : -1)));
export const underWay = computed(() => [...jobs.value.values()].filter((job) => job.status === "processing").length);

const removed = new Set<string>(); // by this page's user: a reply that was under way may still have them
const addedAt = new Map<string, number>(); // by the clock that nobody sets, see performance.now
const toldAt = new Map<string, number>(); // the moment when news last told of a job, or it was found to be gone
let moments = 0;

atEnd(() => {
  removed.clear();
  addedAt.clear();
  toldAt.clear();
});

/** To be asked before the service is: what it shows then may be older than news that come meanwhile. */
export function moment(): number {
  return moments;
}

/** Take in jobs as they are shown in reply to a request that was made at the moment `asked`.
 *
 * News since then know better: the service holds back the next until something is other than in the last, so what an
 * older reply put in their place would stay.
 */
export function learn(found: readonly Job[], asked: number): void {
  take(found.filter((job) => (toldAt.get(job.id) ?? 0) <= asked));
}

/** Take in news: jobs as they are now, and which are `lost`. */
export function learnNews(found: readonly Job[], lost: readonly string[]): void {
  lost.forEach(forget);
  moments += 1;
  found.forEach((job) => toldAt.set(job.id, moments));
  take(found);
}

function take(found: readonly Job[]): void {
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

/** What was made by this page just now. Of one that is known already the reply, as to its first request, says nothing. */
export function add(job: Job): void {
  if (jobs.value.has(job.id)) return;
  addedAt.set(job.id, performance.now());
  total.value += 1;
  take([job]);
}

/** Forget a job that is gone, and the items of a playlist with it. */
export function forget(id: string): void {
  const gone = withItems(id);
  moments += 1;
  gone.forEach((each) => toldAt.set(each, moments));
  total.value = Math.max(0, total.value - gone.length);
  jobs.value = new Map([...jobs.value].filter(([each]) => !gone.includes(each)));
}

/** The same for one that this page's user has deleted: nothing brings it back. */
export function remove(id: string): void {
  withItems(id).forEach((each) => removed.add(each));
  forget(id);
}

function withItems(id: string): string[] {
  return [...jobs.value.values()].filter((job) => job.id === id || job.playlistId === id).map((job) => job.id);
}

export interface Doubt {
  lost: string[]; // jobs that were removed elsewhere
  unsure: string[]; // jobs that were under way and are not told of any more
  beyond: string[]; // the like, of which there may be too many to be told of; a playlist stands for its items
  isGap: boolean; // between these and the ones known before there may be others
}

/** What news, newest first, say about the jobs that are not in them. To be asked before they are learnt. */
export function doubts(news: readonly Job[], count: number): Doubt {
  const told = new Set(news.map((job) => job.id));
  const oldest = news.length > NEWEST - 1 ? (news[NEWEST - 1]?.id ?? "") : "";
  const missing = [...jobs.value.values()].filter((job) => !told.has(job.id) && !isFresh(job.id));
  const silent = missing.filter((job) => job.id <= oldest && job.status === "processing");
  const edge = news.length >= MOST_UNDER_WAY ? (news.filter((job) => job.status === "processing").at(-1)?.id ?? "") : "";
  const beyond = silent.filter((job) => job.id <= edge);
  const newestKnown = newestFirst.value.find((id) => !isFresh(id)) ?? "";
  return {
    lost: missing.filter((job) => job.id > oldest).map((job) => job.id),
    unsure: silent.filter((job) => job.id > edge).map((job) => job.id),
    beyond: [...new Set(beyond.map((job) => (jobs.value.has(job.playlistId) ? job.playlistId : job.id)))],
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
