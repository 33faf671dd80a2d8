// The two libraries come from Debian packages on the gateway's machine, which may lack them.

import { report } from "./problems.js";
import { el } from "./dom.js";

/**
 * Loads the library of a part of the page: it defines the global `name`, and comes from the first of the addresses that
 * answers. When none does, says in `place` and in the banner which package to install, and returns null.
 */
export async function loadLibrary({ part, name, addresses, packageName, place }) {
    for (const address of addresses) {
        if (await loadScript(address) && globalThis[name]) return globalThis[name];
    }
    const status = await statusOf(addresses[0]);
    if (status !== 404) {
        const reason = status ? `The gateway answered ${status}.` : "The gateway did not answer.";
        report(part, `The library of the ${part} could not be loaded.`, `${reason} Reload the page to try again.`);
        return null;
    }
    report(part, `The Debian package ${packageName} is missing on the gateway's machine.`);
    place?.replaceChildren(el(
        "div", { class: "missing" },
        el("p", {}, `For the ${part}, this page needs a library that the gateway's machine does not have. `,
            "Install it there, then reload:"),
        el("pre", {}, `sudo apt install ${packageName}`)));
    return null;
}

function loadScript(address) {
    return new Promise((resume) => {
        const script = el("script", { src: address, on: { load: () => resume(true), error: () => resume(false) } });
        document.head.append(script);
    });
}

/** The status of the answer at an address, which a script element does not tell; 0 when there is none. */
async function statusOf(address) {
    try {
        return (await fetch(address)).status;
    } catch {
        return 0;
    }
}
