/** How things are wanted: what most choose in sight, the rest in a fold. */

import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { lines } from "../addresses";
import { AUDIO_FORMATS, complaints, CONTAINERS, options, QUALITIES, set, type Options } from "../options";
import { draft } from "../submit";

export function Choices() {
  const { kind, quality, audioFormat } = options.value;
  return (
    <>
      <fieldset class="switch">
        <legend class="unseen">What to fetch</legend>
        <Kind value="video" current={kind}>
          Video
        </Kind>
        <Kind value="audio" current={kind}>
          Audio
        </Kind>
      </fieldset>
      {kind === "video" ? (
        <Select id="quality" label="Quality" value={quality} values={QUALITIES} onPick={(value) => set("quality", value)} />
      ) : (
        <Select id="format" label="Format" value={audioFormat} values={AUDIO_FORMATS} onPick={(value) => set("audioFormat", value)} />
      )}
    </>
  );
}

function Kind({ value, current, children }: { value: Options["kind"]; current: string; children: ComponentChildren }) {
  return (
    <label>
      <input type="radio" name="kind" value={value} checked={current === value} onChange={() => set("kind", value)} />
      <span>{children}</span>
    </label>
  );
}

interface SelectProps {
  id: string;
  label: string;
  value: string;
  values: readonly string[];
  onPick: (value: string) => void;
}

function Select({ id, label, value, values, onPick }: SelectProps) {
  return (
    <div class="field inline">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onPick(event.currentTarget.value)}>
        {values.map((each) => (
          <option key={each} value={each}>
            {each === "best" ? "Best" : each}
          </option>
        ))}
      </select>
    </div>
  );
}

const PLAYLISTS = [
  ["auto", "As the address says"],
  ["true", "The whole list"],
  ["false", "One video only"],
] as const;

export function More({ isOpen }: { isOpen: Signal<boolean> }) {
  const { kind, container, playlist } = options.value;
  return (
    <details class="more" open={isOpen.value} onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>More options</summary>
      <div class="fields">
        <Text name="from" label="Clip from" hint="1:30" />
        <Text name="to" label="Clip to" hint="2:45" />
        {kind === "video" && <Text name="subtitles" label="Subtitles" hint="en, pt-BR" />}
        {kind === "video" && (
          <Select id="container" label="File type" value={container} values={CONTAINERS} onPick={(value) => set("container", value)} />
        )}
        <div class="field inline">
          <label for="playlist">Playlists</label>
          <select
            id="playlist"
            value={playlist}
            onChange={(event) => set("playlist", event.currentTarget.value as Options["playlist"])}
          >
            {PLAYLISTS.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </div>
        <Text name="name" label="Name of the file" hint="its own title" note={nameNote()} />
      </div>
    </details>
  );
}

function nameNote(): string {
  const count = options.value.name.trim() === "" ? 0 : lines(draft.value).length;
  return count > 1 ? `All ${count} are called so.` : "";
}

interface TextProps {
  name: "from" | "to" | "subtitles" | "name";
  label: string;
  hint: string;
  note?: string;
}

function Text({ name, label, hint, note = "" }: TextProps) {
  const complaint = complaints(options.value)[name] ?? "";
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        type="text"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder={hint}
        value={options.value[name]}
        onInput={(event) => set(name, event.currentTarget.value)}
        aria-invalid={complaint !== ""}
        aria-describedby={`${name}-complaint ${name}-note`}
      />
      <p id={`${name}-complaint`} class="complaint small">
        {complaint}
      </p>
      <p id={`${name}-note`} class="soft small">
        {note}
      </p>
    </div>
  );
}
