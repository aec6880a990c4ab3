/** All there is to one job: its links, its image, a playlist's items. Asked for when a row is looked at. */

import { call, CallFailed, isObject, type Failure } from "./api";
import { readJob, text, type Job } from "./jobs";
import { atEnd } from "./session";
import { forget, jobs, learn, moment } from "./store";
import { clearTurns, turn, turnEnds, type Place } from "./turns";

export interface Details {
  job: Job;
  link: string; // to the file, for 24 hours
  image: string;
  subtitles: { language: string; link: string }[];
  missing: string[]; // languages that there are no subtitles in
  items: unknown[];
}

const FRESH_MS = 12 * 3600 * 1000; // links live 24 hours
const LOOK_MS = 10_000; // between two looks at what the service tells nothing of by itself

const NO_FILE: Failure = {
  kind: "refused",
  status: 404,
  code: "file.not_found",
  message: "This download has no file to hand out.",
  field: "",
  retryAfterS: 0,
};

const known = new Map<string, { details: Promise<Details>; at: number }>();
const looking = new Set<string>();
const lookedAt = new Map<string, number>();

atEnd(() => {
  known.clear();
  looking.clear();
  lookedAt.clear();
  clearTurns();
});

/** What the service says about a job now, for a user who waits. Throws `CallFailed`; a job that is gone is forgotten. */
export function detailsOf(id: string): Promise<Details> {
  return asked(id, { isUrgent: true });
}

async function asked(id: string, place: Place): Promise<Details> {
  await turn(place);
  try {
    const before = moment();
    const { body } = await call("GET", `/download/${encodeURIComponent(id)}`);
    const details = read(isObject(body) ? body["data"] : null);
    learn([details.job], before);
    return details;
  } catch (error) {
    if (isGone(error)) forget(id);
    throw error;
  } finally {
    turnEnds();
  }
}

/** The same of a job that is done, of which nothing changes but its links, until it is fetched again. Throws `CallFailed`.
 *
 * It waits until nobody wants anything more urgent, and is not asked for any more once `stop` is set.
 */
export function lasting(job: Job, stop: AbortSignal): Promise<Details> {
  const found = known.get(nameOf(job));
  if (found !== undefined && performance.now() - found.at < FRESH_MS) return found.details;
  return keep(job, asked(job.id, { isUrgent: false, stop }));
}

/** The same with links that are good for 24 hours from now. Throws `CallFailed`, also where there is no file. */
export async function renewed(job: Job): Promise<Details> {
  const details = await keep(job, detailsOf(job.id));
  if (details.link === "") throw new CallFailed(NO_FILE); // it has expired since the page heard of it
  return details;
}

function keep(job: Job, details: Promise<Details>): Promise<Details> {
  const kept = { details, at: performance.now() };
  known.set(nameOf(job), kept);
  details.catch(() => known.get(nameOf(job)) === kept && known.delete(nameOf(job)));
  return details;
}

function nameOf(job: Job): string {
  return `${job.id} ${job.completedAt}`;
}

/** Bring the page's own copy up to date, and that of a playlist's items, if the service can be asked. */
export async function lookAt(id: string): Promise<void> {
  if (looking.has(id)) return;
  looking.add(id);
  lookedAt.set(id, performance.now());
  try {
    const before = moment();
    const { items } = await asked(id, { isUrgent: false });
    learn(items.map((row) => ({ ...readJob(row), playlistId: id })).filter((job) => jobs.value.has(job.id)), before);
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error; // the page shows elsewhere that it has no connection
  } finally {
    looking.delete(id);
  }
}

/** Look at the one of `ids` that was looked at longest ago: however many there are, that is one request at a time. */
export function lookAround(ids: readonly string[]): void {
  const at = (id: string) => lookedAt.get(id) ?? -LOOK_MS;
  const [first, ...others] = ids;
  if (first === undefined) return;
  const next = others.reduce((oldest, id) => (at(id) < at(oldest) ? id : oldest), first);
  if (performance.now() - at(next) >= LOOK_MS) void lookAt(next);
}

/** The items of a playlist become jobs that the page knows of. Throws `CallFailed`. */
export async function unfold(playlist: string): Promise<void> {
  const before = moment();
  const { items } = await detailsOf(playlist);
  learn(items.map((row) => ({ ...readJob(row), playlistId: playlist })), before);
}

function read(row: unknown): Details {
  const job = readJob(row);
  const data = isObject(row) ? row : {};
  const subtitles = Array.isArray(data["subtitles"]) ? data["subtitles"].filter(isObject) : [];
  return {
    job,
    link: text(data["download_url"]),
    image: text(data["thumbnail_url"]),
    subtitles: subtitles.map((each) => ({ language: text(each["language"]), link: text(each["url"]) })),
    missing: Array.isArray(data["subtitles_missing"]) ? data["subtitles_missing"].map(text) : [],
    items: Array.isArray(data["items"]) ? data["items"] : [],
  };
}

function isGone(error: unknown): boolean {
  return error instanceof CallFailed && error.failure.kind === "refused" && error.failure.status === 404;
}
