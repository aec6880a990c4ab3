/** Where the page begins. */

import { effect } from "@preact/signals";
import { render } from "preact";
import { searchEverything } from "./choice";
import * as details from "./details";
import * as pages from "./pages";
import { key } from "./session";
import * as store from "./store";
import { follow } from "./updates";
import { App } from "./view/App";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/list.css";

const place = document.getElementById("page");
if (place === null) throw new Error("index.html has no place for the page");

effect(() => {
  if (key.value !== "") return;
  store.clear(); // whoever signs in next may be somebody else
  details.clear();
  pages.clear();
});
follow();
searchEverything();
render(<App />, place);
