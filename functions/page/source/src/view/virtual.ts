/** Which rows of a long list are in the document: those in sight, some around them, and those that must not be lost. */

import {
  defaultRangeExtractor,
  observeWindowOffset,
  observeWindowRect,
  Virtualizer,
  windowScroll,
  type Range,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";

const OVERSCAN = 6;

export interface Wanted {
  ids: readonly string[];
  top: number; // where the list begins, in pixels from the top of the document
  rowHeight: number; // as long as a row has not been measured
  margin: number; // what covers the window's upper edge
  held: readonly number[]; // rows to keep wherever they are
}

export type Rows = Virtualizer<Window, HTMLLIElement>;

/** The window's scroll position is the list's. What is in sight stays where it is when rows come in above it. */
export function useRows(wanted: Wanted): Rows {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const options: VirtualizerOptions<Window, HTMLLIElement> = {
    count: wanted.ids.length,
    getScrollElement: () => window,
    estimateSize: () => wanted.rowHeight,
    getItemKey: (index) => wanted.ids[index] ?? index,
    scrollToFn: windowScroll,
    observeElementRect: observeWindowRect,
    observeElementOffset: observeWindowOffset,
    initialRect: { width: window.innerWidth, height: window.innerHeight },
    initialOffset: () => window.scrollY,
    overscan: OVERSCAN,
    scrollMargin: wanted.top,
    scrollPaddingStart: wanted.margin,
    anchorTo: window.scrollY > wanted.top ? "end" : "start", // who looks at the newest wants to see newer ones come in
    rangeExtractor: (range) => withHeld(range, wanted.held),
    onChange: () => redraw(undefined),
  };
  const [rows] = useState(() => new Virtualizer(options));
  rows.setOptions(options);
  useLayoutEffect(() => rows._didMount(), [rows]);
  useLayoutEffect(() => rows._willUpdate());
  return rows;
}

function withHeld(range: Range, held: readonly number[]): number[] {
  const inSight = defaultRangeExtractor(range);
  const others = held.filter((index) => index >= 0 && index < range.count && !inSight.includes(index));
  return [...inSight, ...others].sort((one, other) => one - other); // the order in which Tab goes through them
}
