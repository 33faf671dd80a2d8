// The banner of what is wrong now. Each part of the page reports under its own name and takes its report back when it
// works again; equal messages of several parts are shown once.

import { byId, el, setData } from "./dom.js";

const reports = new Map();

/** Shows a problem of a part of the page: `error` is a `Problem`, another error or a text. */
export function report(part, error, hint = "") {
    // The sign-in has a report of its own, for all parts that need it.
    if (error.status === 401) return resolved(part);
    const title = typeof error === "string" ? error : error.title ?? "This page met an error of its own";
    const detail = typeof error === "string" ? "" : error.detail ?? error.message;
    const code = error.status > 0 ? `${error.status} ${error.code}` : "";
    reports.set(part, { title, detail: [detail, hint].filter(Boolean).join(" "), code });
    render();
}

/** Takes the report of a part back. */
export function resolved(part) {
    if (reports.delete(part)) render();
}

function render() {
    const groups = new Map();
    for (const [part, { title, detail, code }] of reports) {
        const key = `${title}\n${detail}`;
        const group = groups.get(key) ?? { title, detail, code, parts: [] };
        group.parts.push(part);
        groups.set(key, group);
    }
    const banner = byId("problems");
    banner.hidden = groups.size === 0;
    banner.replaceChildren(...[...groups.values()].map(({ title, detail, code, parts }) => el(
        "p", {},
        el("strong", {}, title),
        detail ? ` ${detail}` : null,
        el("span", { class: "muted" }, ` (${[code, parts.join(", ")].filter(Boolean).join(" · ")})`))));
    setData(document.body, "errors", groups.size);
    const texts = [...groups.values()].map(({ title, detail }) => `${title} ${detail}`.trim());
    setData(document.body, "error", texts.join("; "));
}
