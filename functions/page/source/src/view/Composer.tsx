/** Where addresses are pasted. What could not be submitted stays in the box, with its reason below. */

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { complaints, fields, forgetTheirs, options } from "../options";
import { complaint, draft, refusals, reset, sending, submit } from "../submit";
import { Choices, More } from "./OptionFields";

const LONGEST = 12; // lines that the box grows to

export function Composer() {
  const box = useRef<HTMLTextAreaElement>(null);
  const isMoreOpen = useSignal(false);
  const isBad = complaint.value !== "" || refusals.value.length > 0;

  async function fetchAll(event: Event): Promise<void> {
    event.preventDefault();
    if (Object.keys(complaints(options.value)).length > 0) {
      isMoreOpen.value = true;
      focusFirstBad();
      return;
    }
    await submit(fields(options.value));
    if (draft.value === "" && complaint.value === "") forgetTheirs();
    if (complaint.value !== "" || refusals.value.length > 0) box.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void fetchAll(event);
  }

  return (
    <form class="composer card" onSubmit={(event) => void fetchAll(event)} noValidate aria-label="New downloads">
      <label for="addresses">Addresses to fetch, one per line</label>
      <textarea
        id="addresses"
        ref={box}
        rows={Math.min(LONGEST, Math.max(2, draft.value.split("\n").length))}
        placeholder="https://…"
        inputMode="url"
        autocapitalize="off"
        autocomplete="off"
        spellcheck={false}
        value={draft}
        onInput={(event) => typed(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        aria-invalid={isBad}
        aria-describedby="complaints"
      />
      <div id="complaints" role="alert">
        {complaint.value !== "" && <p class="complaint">{complaint}</p>}
        <Refusals />
      </div>
      <div class="choices">
        <Choices />
        <button class="primary" type="submit" aria-disabled={sending.value !== null}>
          {label()}
        </button>
      </div>
      <More isOpen={isMoreOpen} />
    </form>
  );
}

function typed(value: string): void {
  draft.value = value;
  if (value.trim() === "") reset(); // there is nothing left that these sentences could be about
}

function label(): string {
  if (sending.value === null) return "Fetch";
  const { done, of } = sending.value;
  return of > 1 ? `Fetching ${Math.min(done + 1, of)} of ${of}…` : "Fetching…";
}

function Refusals() {
  if (refusals.value.length === 0) return null;
  return (
    <ul class="refusals">
      {refusals.value.map(({ text, sentence }, index) => (
        <li key={index}>
          <span class="address">{text}</span> <span class="complaint">{sentence}</span>
        </li>
      ))}
    </ul>
  );
}

/** In the next frame: the fields may be in a fold that is only just being opened. */
function focusFirstBad(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>(".more [aria-invalid='true']")?.focus());
}
