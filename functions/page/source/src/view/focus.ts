/** The focus stays in the list when what has it goes: a button whose job has ended, a row that was deleted. */

import { useLayoutEffect, useRef } from "preact/hooks";

export interface Held {
  id: string;
  index: number;
}

/** The row that the focus is in. Asked for before the document changes. */
export function heldRow(list: HTMLElement | null): Held | null {
  const row = list?.contains(document.activeElement) === true ? rowOf(document.activeElement) : null;
  return row === null ? null : { id: row.dataset["id"] ?? "", index: Number(row.dataset["index"]) };
}

export function rowOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>("li[data-id]") : null;
}

/** Asked for after it changed: to the same row, else to the one in its place, else to the list's heading. */
export function keepFocus(list: HTMLElement | null, held: Held | null, ids: readonly string[]): void {
  if (held === null || list === null || document.activeElement !== document.body) return;
  const id = ids.includes(held.id) ? held.id : ids[Math.min(held.index, ids.length - 1)];
  const row = id === undefined ? null : list.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`);
  (row ?? document.getElementById("list-title"))?.focus({ preventScroll: true });
}

/** For what goes by itself, as a notice does: the focus that is in it then goes to the list's heading. */
export function useHandingOn<Kind extends HTMLElement>(): { current: Kind | null } {
  const place = useRef<Kind>(null);
  useLayoutEffect(() => {
    const mine = place.current;
    return () => {
      if (mine?.contains(document.activeElement) === true) document.getElementById("list-title")?.focus({ preventScroll: true });
    };
  }, []);
  return place;
}
