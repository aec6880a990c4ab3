/** Asks once more before something is gone for good. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { remove } from "../actions";
import { titleOf, type Job } from "../jobs";
import { ofVisit } from "../session";
import { counted } from "../words";

/** The job that somebody is about to delete. */
const doomed = ofVisit<Job | null>(null);

export function askToDelete(job: Job): void {
  doomed.value = job;
}

export function Confirm() {
  const job = doomed.value;
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    if (job !== null) dialog.current?.showModal();
    else dialog.current?.close();
  }, [job]);

  function confirm(): void {
    doomed.value = null;
    if (job !== null) void remove(job);
  }

  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onClose={() => (doomed.value = null)}>
      {job !== null && (
        <>
          <h2 id="confirm-title">Delete “{titleOf(job)}”?</h2>
          <p>{consequence(job)}</p>
          <div class="buttons">
            <button type="button" autofocus onClick={() => (doomed.value = null)}>
              Keep
            </button>
            <button type="button" class="danger" onClick={confirm}>
              Delete
            </button>
          </div>
        </>
      )}
    </dialog>
  );
}

function consequence(job: Job): string {
  if (job.items !== null) {
    return `The playlist goes with its ${counted(job.items.total, "item")} and all their files, and links to them stop working. This cannot be undone.`;
  }
  if (job.status === "done") return "Its file goes too, and links to it stop working. This cannot be undone.";
  return "It leaves the list. This cannot be undone.";
}
