// Making elements. Every text goes in as a text node: data never becomes markup.

import { localTime, parseTime, utcTime } from "./format.js";

/**
 * An element with attributes and children. `on` holds listeners, `data` the data attributes, `class` and the rest are
 * attributes; null and false leave an attribute out. A child is a node or text.
 */
export function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) continue;
        if (name === "on") {
            for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
        } else if (name === "data") {
            Object.assign(node.dataset, value);
        } else {
            node.setAttribute(name, value === true ? "" : value);
        }
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
}

/** The element with this id; a page without it is a mistake in the page. */
export function byId(id) {
    const node = document.getElementById(id);
    if (!node) throw new Error(`the page has no element #${id}`);
    return node;
}

/** Sets a text only when it differs, so that nothing is laid out for nothing. */
export function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

/** Sets a data attribute only when it differs. */
export function setData(node, name, value) {
    const text = String(value);
    if (node.dataset[name] !== text) node.dataset[name] = text;
}

/** Shows a moment in a `<time>` element: the viewer's zone as text, UTC as its tooltip. `moment` is ms or RFC 3339. */
export function setTime(node, moment) {
    const ms = typeof moment === "number" ? moment : parseTime(moment);
    setText(node, localTime(ms));
    if (!Number.isFinite(ms)) {
        node.removeAttribute("datetime");
        node.removeAttribute("title");
        return;
    }
    const iso = new Date(ms).toISOString();
    if (node.dateTime === iso) return;
    node.dateTime = iso;
    node.title = utcTime(ms);
}

/** A new `<time>` element for a moment. */
export function timeElement(moment) {
    const node = el("time");
    setTime(node, moment);
    return node;
}

/** A colour of the style sheet, for canvases. */
export function themeColor(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Calls back when the viewer's system changes between light and dark. */
export function onThemeChange(listener) {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
}

/** Runs `work` at most once in `everyMs`, and once more after the last call. */
export function throttled(everyMs, work) {
    let timer = null;
    let last = -Infinity;
    return () => {
        if (timer !== null) return;
        const wait = Math.max(0, last + everyMs - performance.now());
        timer = setTimeout(() => {
            timer = null;
            last = performance.now();
            work();
        }, wait);
    };
}
