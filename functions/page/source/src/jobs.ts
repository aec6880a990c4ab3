/** A job as the service shows it. Lists may leave out everything but its first five fields. */

import { CallFailed, isObject } from "./api";

export interface Job {
  id: string;
  name: string;
  status: "processing" | "done" | "error";
  createdAt: number; // milliseconds since the epoch
  error: string;
  errorCode: string;
  isWhole: boolean; // false: a list too long for one reply has left out what follows
  url: string;
  title: string;
  isAudio: boolean;
  progress: number; // 0-100
  downloadedBytes: number;
  filesize: number | null;
  speed: number | null; // bytes per second
  etaS: number | null;
  durationS: number | null;
  attempts: number;
  completedAt: string; // as the service writes it: only whether it is another one counts
  contentType: string;
  playlistId: string;
  playlistIndex: number;
  items: Items | null; // of a playlist
}

export interface Items {
  total: number;
  done: number;
  failed: number;
  cancelled: number;
  isTruncated: boolean;
}

/** How a job looks to its user. */
export type Face = "waiting" | "running" | "finishing" | "done" | "failed" | "cancelled" | "expired";

export function face(job: Job): Face {
  if (job.status === "done") return "done";
  if (job.status === "error") return ENDS[job.errorCode] ?? "failed";
  if (job.items !== null) return "running";
  if (isAllThere(job)) return "finishing";
  return job.attempts > 0 || job.progress > 0 || job.downloadedBytes > 0 ? "running" : "waiting";
}

/** The percentage alone does not say it: the service keeps it at 99 from there on until the job is done. */
function isAllThere(job: Job): boolean {
  if (job.progress < 99) return false;
  return job.speed === null || (job.filesize !== null && job.downloadedBytes >= job.filesize);
}

const ENDS: Record<string, Face> = { "job.cancelled": "cancelled", "file.expired": "expired" };

/** What a job is called: by its user, else by its source, else by its address. */
export function titleOf(job: Job): string {
  const given = job.name === job.id ? "" : job.name; // what the service says where it knows no name yet
  return given || job.title || job.url.replace(/^https?:\/\//i, "") || job.id;
}

/** Throws `CallFailed` for what no job of this service looks like. */
export function readJob(row: unknown): Job {
  if (!isObject(row) || typeof row["id"] !== "string" || !isStatus(row["status"])) {
    throw new CallFailed({ kind: "foreign" });
  }
  return {
    id: row["id"],
    name: text(row["name"]),
    status: row["status"],
    createdAt: Date.parse(text(row["created_at"])) || 0,
    error: text(row["error"]),
    errorCode: text(row["error_code"]),
    isWhole: "url" in row,
    url: text(row["url"]),
    title: text(row["title"]),
    isAudio: row["download_type"] === "audio",
    progress: number(row["progress"]) ?? (row["status"] === "done" ? 100 : 0),
    downloadedBytes: number(row["downloaded_bytes"]) ?? 0,
    filesize: number(row["filesize"]),
    speed: number(row["speed"]),
    etaS: number(row["eta"]),
    durationS: number(row["duration"]),
    attempts: number(row["attempts"]) ?? 0,
    completedAt: text(row["completed_at"]),
    contentType: text(row["content_type"]),
    playlistId: text(row["playlist_id"]),
    playlistIndex: number(row["playlist_index"]) ?? 0,
    items: readItems(row),
  };
}

function readItems(row: Record<string, unknown>): Items | null {
  const total = number(row["items_total"]);
  if (total === null) return null;
  return {
    total,
    done: number(row["items_done"]) ?? 0,
    failed: number(row["items_failed"]) ?? 0,
    cancelled: number(row["items_cancelled"]) ?? 0,
    isTruncated: row["truncated"] === true,
  };
}

/** The jobs of a list or of news. Throws `CallFailed`. */
export function readJobs(body: unknown): { jobs: Job[]; total: number; nextToken: string | null } {
  const data = isObject(body) ? body["data"] : null;
  if (!isObject(data) || !Array.isArray(data["downloads"])) throw new CallFailed({ kind: "foreign" });
  return {
    jobs: data["downloads"].map(readJob),
    total: number(data["total"]) ?? 0,
    nextToken: text(data["next_token"]) || null,
  };
}

function isStatus(value: unknown): value is Job["status"] {
  return value === "processing" || value === "done" || value === "error";
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
