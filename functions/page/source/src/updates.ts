/** Keeps the page up to date: one request at a time, which the service holds until there is news. */

import { effect } from "@preact/signals";
import { say } from "./announce";
import { call, CallFailed, type Answer, type Failure } from "./api";
import { lookAround, lookAt } from "./details";
import { UNKNOWN_KEY } from "./failures";
import { readJobs } from "./jobs";
import * as pages from "./pages";
import { atEnd, key, ofVisit, signOut } from "./session";
import { doubts, learnNews, total } from "./store";

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
export const trouble = ofVisit<Trouble | null>(null);

let etag: string | null = null;
let beyond: readonly string[] = []; // see `Doubt`
let running: AbortController | null = null;
let wake: () => void = () => undefined;

atEnd(() => {
  etag = null;
  beyond = [];
});

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

/** Whether there were news. */
async function ask(ended: AbortSignal): Promise<boolean> {
  const headers: Record<string, string> = etag === null ? {} : { "If-None-Match": etag };
  const waitS = trouble.peek() === null ? HOLD_S : 0; // that it can be reached again is news enough
  const reply = await call("GET", `/updates?wait=${waitS}`, { headers, stop: ended, timeoutMs: TIMEOUT_MS });
  if (ended.aborted) return false;
  if (reply.status !== 304) await take(reply, ended);
  lookAround(beyond);
  return reply.status !== 304;
}

async function take(reply: Answer, ended: AbortSignal): Promise<void> {
  const news = readJobs(reply.body);
  const doubt = doubts(news.jobs, news.total);
  if (doubt.isGap) await pages.first();
  if (ended.aborted) return; // who follows now knows more
  learnNews(news.jobs, doubt.lost);
  doubt.unsure.forEach((id) => void lookAt(id));
  beyond = doubt.beyond;
  total.value = news.total;
  etag = reply.etag; // last: what went wrong before is told once more
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
    const goOn = () => {
      window.clearTimeout(timer);
      ended.removeEventListener("abort", goOn); // or one would stay of each pause of a long visit
      resolve();
    };
    const timer = window.setTimeout(goOn, ms);
    ended.addEventListener("abort", goOn);
    wake = goOn;
  });
}
