/** Searches and filters the list, and says how much of it there is. */

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

export function Toolbar() {
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
    const isReading = pages.older.value === "there" || pages.older.value === "coming";
    return isReading ? `${found}, ${jobs.value.size.toLocaleString("en")} of ${total.value.toLocaleString("en")} looked at` : found;
  }
  const busy = underWay.value > 0 ? `, ${underWay.value.toLocaleString("en")} under way` : "";
  return `${counted(total.value, "download")}${busy}`;
}
