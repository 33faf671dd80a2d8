// What the fleet page knows: every drone, and the newest deliveries of the chosen status. Both start from a list and
// follow the stream; a list read while events come in never overwrites what an event has just said.

import { get, getAll, serverNow } from "./api.js";

/** Pages of 1,000 drones that are read at most. */
const DRONE_PAGES_MAX = 50;
/** Deliveries that are listed. */
export const DELIVERIES_MAX = 100;
/** A drone under way that has not reported for this long is silent, in milliseconds. */
export const SILENT_AFTER_MS = 15_000;

/** Every drone by id, with the moment it was last heard of (ms, on the viewer's clock). */
export class DroneStore {
    records = new Map();
    #touched = null;

    /** `onChange(record)` for each drone that is new or changed, `onRemove(id)` for each that is gone. */
    constructor({ onChange, onRemove }) {
        this.onChange = onChange;
        this.onRemove = onRemove;
    }

    /** Takes in a drone from the stream. */
    apply(drone) {
        this.#touched?.add(drone.id);
        this.#put(drone, Date.now());
    }

    /** Reads all drones; those that are no longer there are removed. */
    async load() {
        const touched = new Set();
        this.#touched = touched;
        const listed = new Set();
        for (const drone of await getAll("/drones", DRONE_PAGES_MAX)) {
            listed.add(drone.id);
            const age = Math.max(0, serverNow() - Date.parse(drone.updated_at)) || 0;
            if (!touched.has(drone.id)) this.#put(drone, Date.now() - age);
        }
        for (const id of [...this.records.keys()]) {
            if (listed.has(id) || touched.has(id)) continue;
            this.records.delete(id);
            this.onRemove(id);
        }
        if (this.#touched === touched) this.#touched = null;
    }

    #put(drone, seenAt) {
        const record = this.records.get(drone.id) ?? {};
        record.drone = drone;
        record.seenAt = seenAt;
        this.records.set(drone.id, record);
        this.onChange(record);
    }
}

/** True for a drone that should report all the time and does not. */
export function isSilent({ drone, seenAt }) {
    return drone.status === "busy" && Date.now() - seenAt > SILENT_AFTER_MS;
}

/** The newest deliveries of one status (or of all, when it is ""), newest first. */
export class DeliveryStore {
    status = "";
    /** False until the list for the chosen status has been read. */
    isLoaded = false;
    /** True when there are older deliveries than those listed. */
    hasOlder = false;
    #items = new Map();
    #touched = null;

    /** `onChange()` after each change; `onShort()` when the list shrank and older deliveries could fill it up. */
    constructor({ onChange, onShort }) {
        this.onChange = onChange;
        this.onShort = onShort;
    }

    get size() {
        return this.#items.size;
    }

    get(id) {
        return this.#items.get(id);
    }

    /** Chooses another status: the list is empty until `load` has read it. */
    choose(status) {
        this.status = status;
        this.isLoaded = false;
        this.hasOlder = false;
        this.#items.clear();
        this.onChange();
    }

    /** Takes in a delivery from the stream. */
    apply(delivery) {
        if (isOlder(delivery, this.#items.get(delivery.id))) return;
        this.#touched?.set(delivery.id, delivery);
        this.#put(delivery);
        this.#trim();
        this.onChange();
    }

    async load() {
        const status = this.status;
        const touched = new Map();
        this.#touched = touched;
        const query = new URLSearchParams({ limit: String(DELIVERIES_MAX) });
        if (status) query.set("status", status);
        const { items, next_cursor: next } = await get(`/deliveries?${query}`);
        if (this.#touched === touched) this.#touched = null;
        if (status !== this.status) return;
        this.#items.clear();
        for (const delivery of items) this.#items.set(delivery.id, delivery);
        for (const delivery of touched.values()) {
            if (!isOlder(delivery, this.#items.get(delivery.id))) this.#put(delivery);
        }
        this.hasOlder = Boolean(next);
        this.isLoaded = true;
        this.#trim();
        this.onChange();
    }

    /** The deliveries, newest first: RFC 3339 times of one format sort as text. */
    newestFirst() {
        return [...this.#items.values()].sort((a, b) => compare(b.timestamp, a.timestamp) || compare(b.id, a.id));
    }

    #put(delivery) {
        if (!this.status || delivery.status === this.status) {
            this.#items.set(delivery.id, delivery);
        } else if (this.#items.delete(delivery.id) && this.hasOlder) {
            this.onShort();
        }
    }

    #trim() {
        if (this.#items.size <= DELIVERIES_MAX) return;
        for (const delivery of this.newestFirst().slice(DELIVERIES_MAX)) this.#items.delete(delivery.id);
        this.hasOlder = true;
    }
}

/** True for a document that a known one has overtaken: requests and changes come over topics of their own. */
export function isOlder(delivery, known) {
    return known !== undefined && known !== null && delivery.revision < known.revision;
}

function compare(a, b) {
    return a < b ? -1 : a > b ? 1 : 0;
}
