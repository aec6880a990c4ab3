/** What can be done with a download, as it is now. */

import { useSignal } from "@preact/signals";
import { busy, cancel, copyLink, retry, save, tell } from "../actions";
import { CallFailed } from "../api";
import { toggle, unfolded } from "../choice";
import { unfold } from "../details";
import { sentenceFor } from "../failures";
import { titleOf, type Job } from "../jobs";
import { askToDelete } from "./Confirm";
import { Icon, type IconName } from "./icons";
import { playing } from "./Player";

interface ActionProps {
  job: Job;
  icon: IconName;
  label: string;
  onClick: () => void;
  isWordy?: boolean;
  expanded?: boolean;
}

export function Actions({ job }: { job: Job }) {
  const isFile = job.status === "done" && job.items === null;
  return (
    <div class="actions">
      {job.items !== null && <Fold job={job} />}
      {isFile && <Play job={job} />}
      {isFile && <Action job={job} icon="save" label="Download" onClick={() => void save(job)} isWordy />}
      {isFile && <Copy job={job} />}
      {job.status === "processing" && <Action job={job} icon="cancel" label="Cancel" onClick={() => void cancel(job)} isWordy />}
      {job.status === "error" && <Action job={job} icon="retry" label="Retry" onClick={() => void retry(job)} isWordy />}
      {job.status !== "processing" && <Action job={job} icon="remove" label="Delete" onClick={() => askToDelete(job)} />}
    </div>
  );
}

/** A button that keeps the focus while it is busy; a disabled one would lose it. */
function Action({ job, icon, label, onClick, isWordy = false, expanded }: ActionProps) {
  const isBusy = busy.value.has(job.id);
  return (
    <button
      type="button"
      class={isWordy ? "action wordy" : "action"}
      title={label}
      aria-label={`${label}: ${titleOf(job)}`}
      aria-disabled={isBusy}
      aria-expanded={expanded}
      onClick={() => isBusy || onClick()}
    >
      <Icon name={icon} />
      {isWordy && <span>{label}</span>}
    </button>
  );
}

function Play({ job }: { job: Job }) {
  const isPlaying = playing.value === job.id;
  return (
    <Action
      job={job}
      icon={isPlaying ? "close" : "play"}
      label={isPlaying ? "Close the player" : "Play"}
      onClick={() => (playing.value = isPlaying ? "" : job.id)}
      expanded={isPlaying}
    />
  );
}

function Copy({ job }: { job: Job }) {
  const isCopied = useSignal(false);
  async function copy(): Promise<void> {
    isCopied.value = await copyLink(job);
    window.setTimeout(() => (isCopied.value = false), 2_000);
  }
  return <Action job={job} icon={isCopied.value ? "check" : "copy"} label={isCopied.value ? "Copied" : "Copy link"} onClick={() => void copy()} />;
}

function Fold({ job }: { job: Job }) {
  const isOpen = unfolded.value.has(job.id);
  async function fold(): Promise<void> {
    toggle(job.id);
    if (isOpen) return;
    try {
      await unfold(job.id);
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      tell(job.id, sentenceFor(error.failure));
    }
  }
  return <Action job={job} icon="fold" label={isOpen ? "Hide items" : "Show items"} onClick={() => void fold()} isWordy expanded={isOpen} />;
}
