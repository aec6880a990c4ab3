/** Where the page begins. */

import { render } from "preact";
import { searchEverything } from "./choice";
import { follow } from "./updates";
import { App } from "./view/App";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/list.css";

const place = document.getElementById("page");
if (place === null) throw new Error("index.html has no place for the page");

follow();
searchEverything();
render(<App />, place);
