// The table of deliveries. A row is made once and then only its changed texts are set; ages tick by themselves.

import { byId, el, setData, setText, setTime } from "./dom.js";
import { age, duration, localTime, nothing, number, parseTime, shortId, utcTime, words } from "./format.js";
import { serverNow } from "./api.js";

export const deliveryStatuses = ["pending", "assigned", "in_flight", "delivered", "cancelled", "failed"];

/** How a delivery's state is coloured. */
export const deliveryTone = {
    pending: "warn", assigned: "info", in_flight: "info", delivered: "good", cancelled: "", failed: "bad",
};

/** True while something is still to happen to a delivery. */
export function isOpen(delivery) {
    return delivery.status === "pending" || delivery.status === "assigned" || delivery.status === "in_flight";
}

/** How long a delivery has been waiting or flying (ms); for a delivered one, how long it took; otherwise NaN. */
export function deliveryAge(delivery) {
    if (delivery.status === "delivered") return parseTime(delivery.delivered_at) - parseTime(delivery.timestamp);
    return isOpen(delivery) ? serverNow() - parseTime(delivery.timestamp) : NaN;
}

/** The table and its filter. */
export class DeliveryTable {
    #store;
    #rows = new Map();
    #body = byId("delivery-rows");
    #onSelect;
    #selected = null;

    constructor(store, { onSelect, onFilter }) {
        this.#store = store;
        this.#onSelect = onSelect;
        const filter = byId("delivery-filter");
        for (const status of ["", ...deliveryStatuses]) {
            filter.append(el("option", { value: status }, status ? words(status) : "all"));
        }
        filter.addEventListener("change", () => onFilter(filter.value));
        setInterval(() => this.#tick(), 1_000);
    }

    /** Shows the store as it is now. */
    render() {
        const deliveries = this.#store.newestFirst();
        const shown = new Set(deliveries.map((delivery) => delivery.id));
        for (const [id, row] of this.#rows) {
            if (shown.has(id)) continue;
            row.node.remove();
            this.#rows.delete(id);
        }
        let before = this.#body.firstElementChild;
        for (const delivery of deliveries) {
            let row = this.#rows.get(delivery.id);
            if (!row) {
                row = makeRow(delivery, this.#onSelect);
                this.#rows.set(delivery.id, row);
            }
            if (row.node === before) before = before.nextElementSibling;
            else this.#body.insertBefore(row.node, before);
            if (row.delivery !== delivery) fill(row, delivery);
            setData(row.node, "selected", delivery.id === this.#selected);
        }
        const empty = byId("deliveries-empty");
        empty.hidden = deliveries.length > 0;
        setText(empty, emptyText(this.#store));
        setText(byId("delivery-count"), countText(this.#store));
        setData(document.body, "deliveries", this.#rows.size);
    }

    /** Marks the row of a delivery. */
    mark(id) {
        this.#selected = id;
        for (const [rowId, row] of this.#rows) {
            setData(row.node, "selected", rowId === id);
            row.open.setAttribute("aria-pressed", String(rowId === id));
        }
    }

    #tick() {
        if (document.hidden) return;
        for (const row of this.#rows.values()) if (isOpen(row.delivery)) fillTimes(row, row.delivery);
    }
}

function emptyText(store) {
    if (!store.isLoaded) return "Loading deliveries…";
    if (store.status) return `No delivery is ${words(store.status)} now.`;
    return "No deliveries yet. They appear here as soon as they are placed.";
}

function countText(store) {
    if (!store.isLoaded) return "";
    return store.hasOlder ? `the newest ${number(store.size)}` : `${number(store.size)} in all`;
}

function makeRow(delivery, onSelect) {
    const cell = (label, className = "", ...children) => (
        el("td", { "data-label": label, class: className, role: "cell" }, ...children));
    const select = () => onSelect(row.delivery);
    const row = {
        delivery: null,
        status: el("span", { class: "chip" }),
        open: el("button", { type: "button", class: "link", "aria-pressed": "false", on: { click: select } }),
        weight: cell("Weight", "n weight"),
        drone: cell("Drone", "drone"),
        age: cell("Age", "n age"),
        created: el("time"),
        assigned: el("time"),
        picked: el("time"),
        delivered: el("time"),
    };
    row.node = el(
        "tr", { role: "row", data: { id: delivery.id } },
        cell("Status", "status", row.status), cell("Delivery", "id", row.open), row.weight, row.drone, row.age,
        cell("Created", "n step", row.created), cell("Assigned", "n step", row.assigned),
        cell("Picked up", "n step", row.picked), cell("Delivered", "n step", row.delivered));
    return row;
}

function fill(row, delivery) {
    row.delivery = delivery;
    setData(row.node, "status", delivery.status);
    setText(row.status, words(delivery.status));
    row.status.className = `chip ${deliveryTone[delivery.status] ?? ""}`;
    row.status.title = delivery.reason ?? "";
    setText(row.open, shortId(delivery.id));
    row.open.title = `Show delivery ${delivery.id}`;
    setText(row.weight, `${number(delivery.weight, 2)} kg`);
    setText(row.drone, delivery.drone_id ? shortId(delivery.drone_id) : nothing);
    row.drone.title = delivery.drone_id ?? "";
    setTime(row.created, delivery.timestamp);
    fillTimes(row, delivery);
}

function fillTimes(row, delivery) {
    setText(row.age, age(deliveryAge(delivery)));
    setStep(row.assigned, delivery.timestamp, delivery.assigned_at);
    setStep(row.picked, delivery.timestamp, delivery.picked_up_at);
    const eta = parseTime(delivery.eta);
    const due = isOpen(delivery) && Number.isFinite(eta);
    row.delivered.classList.toggle("eta", due);
    if (!due) return setStep(row.delivered, delivery.timestamp, delivery.delivered_at);
    const left = eta - serverNow();
    setText(row.delivered, left >= 0 ? `in ${age(left)}` : `${age(-left)} late`);
    row.delivered.title = `Expected at ${localTime(eta)} · ${utcTime(eta)}`;
}

/** A step as the time since the delivery was placed, with the moment itself as tooltip. */
function setStep(node, start, moment) {
    const ms = parseTime(moment);
    setText(node, Number.isFinite(ms) ? `+${duration(ms - parseTime(start))}` : nothing);
    node.title = Number.isFinite(ms) ? `${localTime(ms)} · ${utcTime(ms)}` : "";
}
