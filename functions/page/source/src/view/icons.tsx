/** Our own few pictures, drawn with strokes of the text's colour. They say nothing that is not said in words. */

const PATHS = {
  audio: "M9 18V6l10-2v12M9 18a3 3 0 1 1-6 0 3 3 0 0 1 6 0Zm10-2a3 3 0 1 1-6 0 3 3 0 0 1 6 0Z",
  cancel: "M6 6l12 12M18 6L6 18",
  check: "M5 13l5 5L20 7",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2",
  fold: "M6 9l6 6 6-6",
  list: "M4 6h16M4 12h16M4 18h10",
  play: "M8 5l11 7-11 7Z",
  remove: "M4 7h16M10 7V4h4v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  retry: "M20 11a8 8 0 1 0-2.3 6M20 5v6h-6",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14",
  search: "M17 11a6 6 0 1 1-12 0 6 6 0 0 1 12 0ZM15.5 15.5L20 20",
  video: "M4 5h16v14H4ZM8 5v14M16 5v14M4 12h16",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The reel that hauls: five holes, and an arrow down out of it. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path d="M16 2a12 12 0 0 1 5 22.9V28h-3.5l-1.5 2-1.5-2H11v-3.1A12 12 0 0 1 16 2Z" />
      <g class="holes">
        <circle cx="16" cy="7.5" r="2.2" />
        <circle cx="9.9" cy="12" r="2.2" />
        <circle cx="22.1" cy="12" r="2.2" />
        <path d="M16 12.5v8M12.3 17.3L16 21l3.7-3.7" />
      </g>
    </svg>
  );
}
