// The two libraries come from Debian packages on the gateway's machine, which may lack them.

import { report } from "./problems.js";
import { el } from "./dom.js";

/**
 * Loads a library that defines the global `name`, from the first of the addresses that answers. When none does, says
 * in `place` and in the banner which package to install, and returns null.
 */
export async function loadLibrary({ name, addresses, packageName, place }) {
    for (const address of addresses) {
        if (await loadScript(address) && globalThis[name]) return globalThis[name];
    }
    report(name === "L" ? "map" : "charts", `The Debian package ${packageName} is missing on the gateway's machine.`);
    place?.replaceChildren(el(
        "div", { class: "missing" },
        el("p", {}, "This part of the page needs a library that the gateway's machine does not have. Install it there, then reload:"),
        el("pre", {}, `sudo apt install ${packageName}`)));
    return null;
}

function loadScript(address) {
    return new Promise((resume) => {
        const script = el("script", { src: address, on: { load: () => resume(true), error: () => resume(false) } });
        document.head.append(script);
    });
}
