/** Which jobs the list shows, in which order. */

import { computed, effect } from "@preact/signals";
import { face, type Job } from "./jobs";
import * as pages from "./pages";
import { ofVisit } from "./session";
import { jobs, newestFirst } from "./store";

export type Kind = "all" | "active" | "done" | "failed";

export const search = ofVisit("");
export const kind = ofVisit<Kind>("all");
/** Playlists whose items are shown. */
export const unfolded = ofVisit<ReadonlySet<string>>(new Set());

export const isChosen = computed(() => search.value.trim() !== "" || kind.value !== "all");

/** Ids in the order of the rows: playlists have their items below them once they are unfolded. */
export const rows = computed(() => (isChosen.value ? chosen() : nested()));

/** Read what is older as well while somebody looks for something. */
export function searchEverything(): void {
  effect(() => {
    if (isChosen.value && pages.older.value === "there") void pages.next();
  });
}

export function toggle(id: string): void {
  const left = new Set(unfolded.value);
  if (!left.delete(id)) left.add(id);
  unfolded.value = left;
}

function chosen(): string[] {
  const words = search.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return newestFirst.value.filter((id) => {
    const job = jobs.value.get(id);
    return job !== undefined && isOfKind(job, kind.value) && words.every((word) => haystack(job).includes(word));
  });
}

function haystack(job: Job): string {
  return `${job.name} ${job.title} ${job.url}`.toLowerCase();
}

function isOfKind(job: Job, wanted: Kind): boolean {
  if (wanted === "all") return true;
  if (wanted === "active") return job.status === "processing";
  return face(job) === wanted;
}

function nested(): string[] {
  const inside = items();
  return newestFirst.value.flatMap((id) => {
    const job = jobs.value.get(id);
    // An item whose playlist is on a page that has not come yet stands for itself.
    if (job === undefined || (job.playlistId !== "" && jobs.value.has(job.playlistId))) return [];
    return unfolded.value.has(id) ? [id, ...(inside.get(id) ?? [])] : [id];
  });
}

function items(): Map<string, string[]> {
  const found = new Map<string, Job[]>();
  for (const job of jobs.value.values()) {
    if (!unfolded.value.has(job.playlistId)) continue;
    found.set(job.playlistId, [...(found.get(job.playlistId) ?? []), job]);
  }
  return new Map([...found].map(([id, each]) => [id, each.sort((one, other) => one.playlistIndex - other.playlistIndex).map((job) => job.id)]));
}
