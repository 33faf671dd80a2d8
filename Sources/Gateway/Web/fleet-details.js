// What is selected: a drone, or a delivery, or a drone with its delivery.

import { byId, el, setText, setTime } from "./dom.js";
import { age, duration, nothing, number, parseTime, words } from "./format.js";
import { deliveryAge, deliveryTone, isOpen } from "./fleet-table.js";
import { isSilent } from "./fleet-stores.js";
import { symbolElement } from "./drone-symbols.js";

/** The panel of details. `show(record, delivery)` with what there is; both null hides it. */
export class Details {
    #panel = byId("details");
    #drone = byId("details-drone");
    #delivery = byId("details-delivery");
    #fields = new Map();

    constructor({ onClose }) {
        byId("details-close").addEventListener("click", onClose);
        addEventListener("keydown", (event) => {
            if (event.key === "Escape" && !document.querySelector("dialog[open]")) onClose();
        });
    }

    /** How much of the map's right side the panel covers, in pixels. */
    get covered() {
        const isOver = !this.#panel.hidden && getComputedStyle(this.#panel).position === "absolute";
        return isOver ? this.#panel.offsetWidth + 10 : 0;
    }

    show(record, delivery) {
        this.#panel.hidden = !record && !delivery;
        this.#drone.hidden = !record;
        this.#delivery.hidden = !delivery;
        if (record) this.#showDrone(record);
        if (delivery) this.#showDelivery(delivery, record?.drone);
    }

    #showDrone(record) {
        const { drone } = record;
        setText(byId("details-drone-id"), drone.id);
        const type = byId("details-drone-type");
        if (type.dataset.type !== drone.type) {
            type.dataset.type = drone.type;
            type.replaceChildren(symbolElement(drone.type), ` ${drone.type}`);
        }
        const chip = byId("details-drone-status");
        setText(chip, drone.status);
        chip.className = `chip drone ${drone.status}`;
        const meter = byId("details-battery");
        meter.value = drone.battery;
        setText(byId("details-battery-text"), `${number(drone.battery, 1)} %`);

        const list = this.#drone.querySelector("dl");
        this.#set(list, "Flight", drone.speed > 0
            ? `${number(drone.speed, 1)} m/s to ${compass(drone.heading)} (${number(drone.heading)}°)` : "at rest");
        const { lat, lon } = drone.position ?? {};
        this.#set(list, "Position", Number.isFinite(lat) ? `${lat.toFixed(5)}, ${lon.toFixed(5)}` : nothing);
        this.#set(list, "At a charge point", drone.at_charge ? "yes" : null);
        const silent = isSilent(record);
        const seen = this.#set(list, "Last report", `${age(Date.now() - record.seenAt)} ago`);
        seen.classList.toggle("alarm", silent);
    }

    #showDelivery(delivery, drone) {
        const chip = byId("details-delivery-status");
        setText(chip, words(delivery.status));
        chip.className = `chip ${deliveryTone[delivery.status] ?? ""}`;
        setText(byId("details-delivery-id"), delivery.id);
        const list = this.#delivery.querySelector("dl");
        this.#set(list, "Weight", `${number(delivery.weight, 2)} kg`);
        this.#set(list, "Drone", delivery.drone_id ?? nothing);
        this.#set(list, "A to B, direct", kilometres(distance(delivery.origin, delivery.destination)));
        const { origin, destination } = delivery;
        for (const [end, status, place] of [["A", "assigned", origin], ["B", "in_flight", destination]]) {
            const isNext = delivery.status === status && drone?.position;
            this.#set(list, `To ${end}, direct`, isNext ? kilometres(distance(drone.position, place)) : null);
        }
        this.#set(list, "Open for", isOpen(delivery) ? age(deliveryAge(delivery)) : null);
        this.#set(list, "Took", delivery.status === "delivered" ? duration(deliveryAge(delivery)) : null);
        for (const [name, moment] of [
            ["Created", delivery.timestamp], ["Assigned", delivery.assigned_at], ["Picked up", delivery.picked_up_at],
            ["Delivered", delivery.delivered_at], ["Expected", isOpen(delivery) ? delivery.eta : null],
        ]) {
            this.#setTime(list, name, moment, delivery.timestamp);
        }
        this.#set(list, "Reason", delivery.reason ? words(delivery.reason) : null);
    }

    /** Sets one line of a list; null takes it away. Returns the value's element. */
    #set(list, name, text) {
        const key = `${list.id} ${name}`;
        let field = this.#fields.get(key);
        if (!field) {
            field = { term: el("dt", {}, name), value: el("dd", { class: "numeric" }) };
            list.append(field.term, field.value);
            this.#fields.set(key, field);
        }
        field.term.hidden = field.value.hidden = text === null;
        if (text !== null && !field.time) setText(field.value, text);
        return field.value;
    }

    #setTime(list, name, moment, start) {
        const ms = parseTime(moment);
        const value = this.#set(list, name, Number.isFinite(ms) ? "" : null);
        if (!Number.isFinite(ms)) return;
        const field = this.#fields.get(`${list.id} ${name}`);
        if (!field.time) {
            field.time = el("time");
            field.since = el("span", { class: "muted" });
            value.replaceChildren(field.time, field.since);
        }
        setTime(field.time, ms);
        const passed = ms - parseTime(start);
        const isStep = name !== "Created" && name !== "Expected" && passed >= 0;
        setText(field.since, isStep ? ` +${duration(passed)}` : "");
    }
}

function kilometres(metres) {
    return metres < 1_000 ? `${number(metres)} m` : `${number(metres / 1_000, 2)} km`;
}

function compass(degrees) {
    if (!Number.isFinite(degrees)) return "";
    return ["N", "NE", "E", "SE", "S", "SW", "W", "NW"][Math.round((((degrees % 360) + 360) % 360) / 45) % 8];
}

/** The great-circle distance of two positions in metres (haversine, mean Earth radius). */
function distance(a, b) {
    const radians = Math.PI / 180;
    const lat = Math.sin(((b.lat - a.lat) * radians) / 2);
    const lon = Math.sin(((b.lon - a.lon) * radians) / 2);
    const part = lat * lat + Math.cos(a.lat * radians) * Math.cos(b.lat * radians) * lon * lon;
    return 2 * 6_371_008.8 * Math.asin(Math.min(1, Math.sqrt(part)));
}
