/** Keeps the page up to date: one request at a time, which the service holds until there is news. */

import { effect, signal } from "@preact/signals";
import { say } from "./announce";
import { call, CallFailed, type Failure } from "./api";
import { lookAt } from "./details";
import { UNKNOWN_KEY } from "./failures";
import { readJobs } from "./jobs";
import * as pages from "./pages";
import { key, signOut } from "./session";
import { doubts, forget, learn, total } from "./store";

const HOLD_S = 20;
const TIMEOUT_MS = (HOLD_S + 10) * 1000;
const BREATH_MS = 400; // between two replies with news: while much is going on there is something new all the time
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export interface Trouble {
  failure: Failure;
  againAt: number; // by Date.now()
}

/** What keeps news from coming, while something does. */
export const trouble = signal<Trouble | null>(null);

let etag: string | null = null;
let running: AbortController | null = null;
let wake: () => void = () => undefined;

/** Follow the service while somebody is signed in and the tab is seen: a hidden one costs nothing. */
export function follow(): void {
  effect(() => {
    if (key.value === "") stop();
    else start();
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  window.addEventListener("online", () => wake());
}

/** Do not wait any longer before the next try. */
export function tryNow(): void {
  wake();
}

function start(): void {
  if (running !== null || document.hidden || key.peek() === "") return;
  running = new AbortController();
  void run(running.signal);
}

function stop(): void {
  running?.abort();
  running = null;
  if (key.peek() === "") {
    etag = null;
    trouble.value = null;
  }
}

async function run(ended: AbortSignal): Promise<void> {
  for (let failures = 0; !ended.aborted; ) {
    try {
      const isNew = await ask(ended);
      failures = 0;
      recovered();
      if (isNew) await pause(BREATH_MS, ended);
    } catch (error) {
      if (ended.aborted) return;
      if (!(error instanceof CallFailed)) throw error;
      failures += 1;
      await bear(error.failure, failures, ended);
    }
  }
}

async function ask(ended: AbortSignal): Promise<boolean> {
  const headers: Record<string, string> = etag === null ? {} : { "If-None-Match": etag };
  const reply = await call("GET", `/updates?wait=${HOLD_S}`, { headers, stop: ended, timeoutMs: TIMEOUT_MS });
  if (ended.aborted || reply.status === 304) return false;
  const news = readJobs(reply.body);
  const doubt = doubts(news.jobs, news.total);
  if (doubt.isGap) await pages.first();
  learn(news.jobs);
  doubt.lost.forEach(forget);
  doubt.unsure.forEach((id) => void lookAt(id));
  total.value = news.total;
  etag = reply.etag; // last: what went wrong before is told once more
  return true;
}

async function bear(failure: Failure, failures: number, ended: AbortSignal): Promise<void> {
  if (failure.kind === "refused" && failure.status === 401) {
    signOut(UNKNOWN_KEY);
    return;
  }
  const patience = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  const asked = failure.kind === "refused" ? failure.retryAfterS * 1000 : 0;
  // Not all pages that lost the same service should come back in the same moment.
  const pauseMs = Math.max(asked, patience * (0.75 + Math.random() / 2));
  if (trouble.value === null) say("The connection to the service is lost.");
  trouble.value = { failure, againAt: Date.now() + pauseMs };
  await pause(pauseMs, ended);
}

function recovered(): void {
  if (trouble.value === null) return;
  trouble.value = null;
  say("Connected again.");
}

function pause(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, ms);
    wake = () => {
      window.clearTimeout(timer);
      resolve();
    };
    ended.addEventListener("abort", wake, { once: true });
  });
}
