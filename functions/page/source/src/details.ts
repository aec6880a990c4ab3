/** All there is to one job: its links, its image, a playlist's items. Asked for when a row is looked at. */

import { call, CallFailed, isObject } from "./api";
import { readJob, text, type Job } from "./jobs";
import { forget, learn } from "./store";

export interface Details {
  job: Job;
  link: string; // to the file, for 24 hours
  image: string;
  subtitles: { language: string; link: string }[];
  items: unknown[];
}

const AT_ONCE = 3; // a browser has six connections to one host, and one of them waits for news
const FRESH_MS = 12 * 3600 * 1000; // links live 24 hours

const known = new Map<string, { details: Promise<Details>; at: number }>();
const waiting: (() => void)[] = [];
let busy = 0;

/** What the service says about a job now. Throws `CallFailed`; a job that is gone is forgotten. */
export async function detailsOf(id: string): Promise<Details> {
  await turn();
  try {
    const { body } = await call("GET", `/download/${encodeURIComponent(id)}`);
    const details = read(isObject(body) ? body["data"] : null);
    learn([details.job]);
    return details;
  } catch (error) {
    if (isGone(error)) forget(id);
    throw error;
  } finally {
    busy -= 1;
    waiting.shift()?.();
  }
}

/** The same of a job that is done, of which nothing changes but its links, until it is fetched again. Throws `CallFailed`. */
export function lasting(job: Job): Promise<Details> {
  const name = `${job.id} ${job.completedAt}`;
  const found = known.get(name);
  if (found !== undefined && performance.now() - found.at < FRESH_MS) return found.details;
  const details = detailsOf(job.id);
  known.set(name, { details, at: performance.now() });
  details.catch(() => known.delete(name));
  return details;
}

/** Everything kept is somebody else's from now on. */
export function clear(): void {
  known.clear();
}

/** Bring the page's own copy up to date, if the service can be asked. */
export async function lookAt(id: string): Promise<void> {
  try {
    await detailsOf(id);
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error; // the page shows elsewhere that it has no connection
  }
}

/** The items of a playlist become jobs that the page knows of. Throws `CallFailed`. */
export async function unfold(playlist: string): Promise<void> {
  const { items } = await detailsOf(playlist);
  learn(items.map((row) => ({ ...readJob(row), playlistId: playlist })));
}

async function turn(): Promise<void> {
  if (busy >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  busy += 1;
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
    items: Array.isArray(data["items"]) ? data["items"] : [],
  };
}

function isGone(error: unknown): boolean {
  return error instanceof CallFailed && error.failure.kind === "refused" && error.failure.status === 404;
}
