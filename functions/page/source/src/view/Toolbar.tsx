/** Searches and filters the list, and says how much of it there is. */

import { useEffect } from "preact/hooks";
import { say } from "../announce";
import { isChosen, kind, rows, search, type Kind } from "../choice";
import * as pages from "../pages";
import { jobs, total, underWay } from "../store";
import { counted } from "../words";
import { Icon } from "./icons";

const KINDS: [Kind, string][] = [
  ["all", "All"],
  ["active", "Under way"],
  ["done", "Done"],
  ["failed", "Failed"],
];

const SETTLED_MS = 500; // nobody wants to hear what each letter of a word finds

export function Toolbar() {
  const found = isChosen.value && !isReading() ? summary() : "";
  useEffect(() => {
    const timer = window.setTimeout(() => found !== "" && say(`${found}.`), SETTLED_MS);
    return () => window.clearTimeout(timer);
  }, [found, search.value, kind.value]);
  return (
    <div class="toolbar" role="search" aria-label="Downloads">
      <h2 id="list-title" tabIndex={-1}>
        Downloads
      </h2>
      <p class="soft count">{summary()}</p>
      <label class="find">
        <span class="unseen">Search by title or address</span>
        <Icon name="search" />
        <input
          type="search"
          placeholder="Search"
          autocomplete="off"
          spellcheck={false}
          value={search}
          onInput={(event) => (search.value = event.currentTarget.value)}
        />
      </label>
      <fieldset class="switch">
        <legend class="unseen">Show</legend>
        {KINDS.map(([value, words]) => (
          <label key={value}>
            <input type="radio" name="shown" value={value} checked={kind.value === value} onChange={() => (kind.value = value)} />
            <span>{words}</span>
          </label>
        ))}
      </fieldset>
    </div>
  );
}

function summary(): string {
  if (isChosen.value) {
    const found = `${rows.value.length.toLocaleString("en")} found`;
    return isReading() ? `${found}, ${jobs.value.size.toLocaleString("en")} of ${total.value.toLocaleString("en")} looked at` : found;
  }
  const busy = underWay.value > 0 ? `, ${underWay.value.toLocaleString("en")} under way` : "";
  return `${counted(total.value, "download")}${busy}`;
}

function isReading(): boolean {
  return pages.older.value === "there" || pages.older.value === "coming";
}
