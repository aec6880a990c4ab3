/** All downloads, of which only those in sight are in the document. */

import { computed } from "@preact/signals";
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import { isChosen, rows as chosenRows } from "../choice";
import * as pages from "../pages";
import { isKnown, jobs } from "../store";
import { heldRow, keepFocus, rowOf, useHandingOn } from "./focus";
import { playing } from "./Player";
import { Row } from "./Row";
import { useRows } from "./virtual";

const NEAR_END = 15; // rows before the last, where the next page is asked for
const places = computed(() => new Map(chosenRows.value.map((id, index) => [id, index])));

export function List() {
  const ids = chosenRows.value;
  const list = useRef<HTMLUListElement>(null);
  const wanted = useRef(""); // the row that the focus is on its way to
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const place = usePlace(list);
  const held = heldRow(list.current);
  const indexes = [held?.id, playing.value, wanted.current].map((id) => places.value.get(id ?? "") ?? -1);
  const rows = useRows({ ids, ...place, held: indexes });
  const inSight = rows.getVirtualItems();
  const last = inSight.at(-1)?.index ?? 0;

  useEffect(() => {
    if (last > ids.length - NEAR_END && pages.older.value === "there") void pages.next();
  }, [last, ids.length, pages.older.value]);
  useLayoutEffect(() => {
    if (wanted.current === "") keepFocus(list.current, held, ids);
    else if (focus(list.current, wanted.current)) wanted.current = "";
  });

  function onKeyDown(event: KeyboardEvent): void {
    const to = destination(event, ids.length);
    const id = to === null ? undefined : ids[to];
    if (to === null || id === undefined) return;
    event.preventDefault();
    wanted.current = id;
    rows.scrollToIndex(to, { align: "auto" });
    redraw(undefined);
  }

  const current = held === null ? 0 : (places.value.get(held.id) ?? 0);
  return (
    <>
      <ul
        ref={list}
        class="list"
        role="list"
        aria-labelledby="list-title"
        style={{ height: `${rows.getTotalSize()}px` }}
        onKeyDown={onKeyDown}
      >
        {inSight.map(({ index, start }) => {
          const job = jobs.value.get(ids[index] ?? "");
          if (job === undefined) return null;
          return (
            <li
              key={job.id}
              ref={rows.measureElement}
              data-index={index}
              data-id={job.id}
              tabIndex={index === current ? 0 : -1}
              aria-labelledby={`title-${job.id}`}
              aria-posinset={index + 1}
              aria-setsize={pages.older.value === "none" || isChosen.value ? ids.length : -1}
              style={{ transform: `translateY(${start - place.top}px)` }}
            >
              <Row job={job} />
            </li>
          );
        })}
      </ul>
      <End />
    </>
  );
}

/** What stands where there are no (more) rows. */
function End() {
  const isEmpty = chosenRows.value.length === 0;
  if (!isKnown.value) return <p class="end soft">Reading the list…</p>;
  if (pages.older.value === "failed") return <Broken />;
  if (pages.older.value !== "none") return <p class="end soft">Reading older downloads…</p>;
  if (!isEmpty) return null;
  return <p class="end soft">{isChosen.value ? "Nothing here is like that." : "Nothing here yet. Paste an address above and press Fetch."}</p>;
}

function Broken() {
  const place = useHandingOn<HTMLParagraphElement>();
  return (
    <p class="end" ref={place}>
      <span class="complaint">{pages.trouble}</span> <button onClick={() => void pages.next()}>Read on</button>
    </p>
  );
}

/** The row that a key leads to, from the one that the focus is in. */
function destination(event: KeyboardEvent, count: number): number | null {
  const from = rowOf(event.target);
  if (from === null || event.altKey || event.ctrlKey || event.metaKey) return null;
  if (event.target instanceof HTMLMediaElement) return null; // has these keys for itself
  const index = Number(from.dataset["index"]);
  const moves: Record<string, number> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: count - 1 };
  const to = moves[event.key];
  return to === undefined || to < 0 || to >= count ? null : to;
}

function focus(list: HTMLElement | null, id: string): boolean {
  const row = list?.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`) ?? null;
  row?.focus({ preventScroll: true });
  return row !== null;
}

const NARROW = matchMedia("(max-width: 640px)");

/** Where the list begins, and how high its rows may be, however the page above it changes. */
function usePlace(list: { current: HTMLElement | null }): { top: number; rowHeight: number; margin: number } {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const look = () => setTop(Math.round((list.current?.getBoundingClientRect().top ?? 0) + window.scrollY));
    look();
    const observer = new ResizeObserver(look);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  return { top, rowHeight: NARROW.matches ? 168 : 100, margin: NARROW.matches ? 8 : 72 };
}
