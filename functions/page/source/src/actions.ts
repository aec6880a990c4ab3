/** What can be done with a job. */

import { say } from "./announce";
import { call, CallFailed } from "./api";
import * as details from "./details";
import { sentenceFor, UNKNOWN_KEY } from "./failures";
import { titleOf, type Job } from "./jobs";
import { ofVisit, signOut } from "./session";
import { forget, remove as removeForGood } from "./store";

/** What did not work, by job, until something else is tried with it. */
export const mishaps = ofVisit<ReadonlyMap<string, string>>(new Map());
/** Jobs that something is being done with. */
export const busy = ofVisit<ReadonlySet<string>>(new Set());

export function cancel(job: Job): Promise<boolean> {
  return attempt(job, async () => {
    await call("DELETE", `/api/downloads/${encodeURIComponent(job.id)}`);
    await details.detailsOf(job.id);
  });
}

export function retry(job: Job): Promise<boolean> {
  return attempt(job, async () => {
    await call("POST", `/download/${encodeURIComponent(job.id)}`, { body: {} });
    await details.detailsOf(job.id);
    say(`${titleOf(job)} is fetched again.`);
  });
}

export function remove(job: Job): Promise<boolean> {
  return attempt(job, async () => {
    await call("DELETE", `/download/${encodeURIComponent(job.id)}`);
    removeForGood(job.id);
    say(`${titleOf(job)} was deleted.`);
  });
}

/** Have the browser save the file. */
export function save(job: Job): Promise<boolean> {
  return attempt(job, async () => {
    const { link } = await details.renewed(job);
    const anchor = document.createElement("a");
    anchor.href = link; // its reply says that it is to be saved, and under which name
    anchor.rel = "noopener";
    anchor.click();
  });
}

/** A link that lives 24 hours, into the clipboard. Returns whether it is there. */
export function copyLink(job: Job): Promise<boolean> {
  return attempt(job, async () => {
    const link = details.renewed(job).then((found) => found.link);
    try {
      await copy(link);
    } catch (error) {
      await link; // why there is none says more than that nothing could be copied
      throw error;
    }
    say("The link was copied. It works for 24 hours, without a key.");
  });
}

/** Given as a promise where that is possible: Safari takes nothing after an answer has been waited for. */
async function copy(text: Promise<string>): Promise<void> {
  if (typeof ClipboardItem === "undefined") {
    await navigator.clipboard.writeText(await text);
    return;
  }
  const blob = text.then((link) => new Blob([link], { type: "text/plain" }));
  await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
}

async function attempt(job: Job, run: () => Promise<void>): Promise<boolean> {
  if (busy.value.has(job.id)) return false;
  busy.value = new Set([...busy.value, job.id]);
  tell(job.id, "");
  try {
    await run();
    return true;
  } catch (error) {
    bear(job, error);
    return false;
  } finally {
    busy.value = new Set([...busy.value].filter((id) => id !== job.id));
  }
}

function bear(job: Job, error: unknown): void {
  if (error instanceof DOMException && error.name === "NotAllowedError") {
    tell(job.id, "The browser did not let the link be copied. Allow this page to use the clipboard, or use Download.");
  } else if (!(error instanceof CallFailed)) {
    throw error;
  } else if (error.failure.kind === "left") {
    return;
  } else if (error.failure.kind === "refused" && error.failure.status === 401) {
    signOut(UNKNOWN_KEY);
  } else if (error.failure.kind === "refused" && error.failure.code === "job.not_found") {
    forget(job.id); // somebody else was quicker
  } else {
    tell(job.id, sentenceFor(error.failure));
    void details.lookAt(job.id); // a conflict: it is not what this page took it for
  }
}

export function tell(id: string, sentence: string): void {
  const others = [...mishaps.value].filter(([each]) => each !== id);
  mishaps.value = new Map(sentence === "" ? others : [...others, [id, sentence]]);
  if (sentence !== "") say(sentence);
}
