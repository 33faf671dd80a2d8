// The alerts: newest first, live, with what has been read.

import { byId, el, setData, setText, throttled, timeElement } from "./dom.js";
import { number } from "./format.js";
import { call, get } from "./api.js";
import { report, resolved } from "./problems.js";
import { alertType } from "./energy-rules.js";

/** Alerts listed; and those marked by one press of "mark all" (what the gateway keeps). */
const ALERTS_MAX = 60;
const MARKED_MAX = 1_000;
/** News are read out at most this often, in milliseconds. */
const ANNOUNCE_EVERY_MS = 5_000;

const tones = { info: "info", warning: "warn", critical: "bad" };

/** The list and its count of unread. `onStale()` asks for both to be read again soon. */
export class Alerts {
    #alerts = new Map();
    #fresh = new Set();
    #announced = 0;
    #isLoaded = false;
    #list = byId("alerts");
    #unreadOnly = byId("unread-only");
    #onStale;
    #render = throttled(250, () => this.#draw());
    #announce = throttled(ANNOUNCE_EVERY_MS, () => this.#speak());

    constructor({ onStale }) {
        this.#onStale = onStale;
        this.#unreadOnly.addEventListener("change", () => {
            this.#alerts.clear();
            this.#isLoaded = false;
            this.#render();
            onStale();
        });
        byId("mark-all").addEventListener("click", () => this.#markAll());
        // Delegated: the rows are drawn again with every alert.
        this.#list.addEventListener("click", (event) => {
            const id = event.target.closest("button[data-mark]")?.dataset.mark;
            if (id) this.#mark([id]);
        });
    }

    /** Takes in an alert from the stream. */
    apply(alert) {
        const known = this.#alerts.has(alert.id);
        this.#alerts.set(alert.id, { ...alert, read: this.#alerts.get(alert.id)?.read ?? alert.read ?? false });
        if (!known) this.#fresh.add(alert.id);
        this.#announce();
        this.#render();
    }

    /** Reads the newest alerts. What the stream brought and the list does not have yet stays. */
    async load() {
        const filter = this.#unreadOnly.checked;
        const { items } = await get(`/notifications?limit=${ALERTS_MAX}${filter ? "&unread=true" : ""}`);
        if (filter !== this.#unreadOnly.checked) return;
        for (const alert of items) this.#alerts.set(alert.id, alert);
        this.#isLoaded = true;
        this.#render();
    }

    /** Reads how many are unread, on all gateways. */
    async loadUnread() {
        const { unread } = await get("/notifications/unread_count");
        setText(byId("unread"), number(unread));
        setData(byId("unread"), "some", unread > 0);
        byId("mark-all").disabled = unread === 0;
        setData(document.body, "unread", unread);
        document.title = unread > 0 ? `(${unread}) Energy · Stormo` : "Energy · Stormo";
    }

    #shown() {
        const newest = [...this.#alerts.values()].sort((a, b) => (
            a.timestamp < b.timestamp ? 1 : a.timestamp > b.timestamp ? -1 : a.id < b.id ? 1 : -1));
        for (const alert of newest.splice(ALERTS_MAX)) this.#alerts.delete(alert.id);
        return this.#unreadOnly.checked ? newest.filter((alert) => !alert.read) : newest;
    }

    #draw() {
        const shown = this.#shown();
        const focused = document.activeElement?.dataset?.mark;
        this.#list.replaceChildren(...shown.map((alert) => alertRow(alert, this.#fresh.has(alert.id))));
        this.#fresh.clear();
        if (focused) this.#list.querySelector(`[data-mark="${CSS.escape(focused)}"]`)?.focus();
        const empty = byId("alerts-empty");
        empty.hidden = shown.length > 0;
        const none = this.#unreadOnly.checked ? "Nothing unread." : "No alerts yet.";
        setText(empty, this.#isLoaded ? none : "Loading alerts…");
        setData(document.body, "alerts", shown.length);
    }

    /** Tells those who listen to the page how many alerts came. */
    #speak() {
        const all = [...this.#alerts.values()].filter((alert) => !alert.read).length;
        const more = all - this.#announced;
        this.#announced = all;
        if (more > 0 && this.#isLoaded) setText(byId("announcement"), `${more} new ${more === 1 ? "alert" : "alerts"}`);
    }

    async #mark(ids) {
        if (ids.length === 0) return;
        try {
            await call("POST", "/notifications/mark_read", { body: { ids } });
            resolved("marking as read");
            for (const id of ids) if (this.#alerts.has(id)) this.#alerts.get(id).read = true;
            this.#render();
            this.#onStale();
        } catch (problem) {
            report("marking as read", problem);
        }
    }

    async #markAll() {
        const button = byId("mark-all");
        button.disabled = true;
        try {
            const { items } = await get(`/notifications?unread=true&limit=${MARKED_MAX}`);
            await this.#mark(items.map((alert) => alert.id));
        } catch (problem) {
            report("marking as read", problem);
        } finally {
            button.disabled = false;
            this.#onStale();
        }
    }
}

function alertRow(alert, isFresh) {
    const { text } = alertType(alert.type);
    const by = alert.acknowledged_by;
    const mark = el("button", { type: "button", class: "link", data: { mark: alert.id } }, "Mark as read");
    return el(
        "li", { class: [alert.read ? "read" : "unread", isFresh ? "fresh" : ""].join(" "), data: { id: alert.id } },
        el(
            "div", { class: "line" },
            el("span", { class: `chip ${tones[alert.severity] ?? ""}` }, String(alert.severity ?? "alert")),
            el("strong", {}, `Floor ${alert.piano}`),
            timeElement(alert.timestamp)),
        el(
            "div", { class: "line" },
            el(
                "p", {}, text, el("span", { class: "muted numeric" }, ` ${measured(alert)}`),
                by ? el("span", { class: "muted" }, `, acknowledged by ${by}`) : null),
            alert.read ? null : mark));
}

/** The value with what it was held against. */
function measured({ type, value, threshold, expected }) {
    const { unit } = alertType(type);
    if (typeof value !== "number") return "";
    const parts = [`${number(value, 3)} ${unit}`.trim()];
    if (typeof threshold === "number") parts.push(`limit ${number(threshold, 3)}`);
    if (typeof expected?.low === "number" && typeof expected?.high === "number") {
        parts.push(`expected ${number(expected.low, 2)} to ${number(expected.high, 2)}`);
    }
    return parts.join(", ");
}
