// The figures above the map: the fleet as the page knows it, and what the gateway counts over the last minutes.

import { byId, el, setData, setText } from "./dom.js";
import { duration, nothing, number, words } from "./format.js";
import { droneStatuses, droneTypes } from "./drone-symbols.js";
import { isSilent } from "./fleet-stores.js";

/** States as people look for them: work first. */
const statusOrder = [...droneStatuses].reverse();

/** The tile of the fleet: total, a bar of the states, their counts, the classes. */
export function fleetTile() {
    const bar = byId("fleet-bar");
    const legend = byId("fleet-legend");
    const parts = new Map();
    for (const status of statusOrder) {
        const segment = el("span", { class: `segment ${status}` });
        const count = el("b", { class: "numeric" });
        bar.append(segment);
        legend.append(el("li", { class: status }, count, ` ${status}`));
        parts.set(status, { segment, count });
    }
    return (records) => {
        const byStatus = Object.fromEntries(statusOrder.map((status) => [status, 0]));
        const byType = Object.fromEntries(droneTypes.map((type) => [type, 0]));
        let silent = 0;
        for (const record of records.values()) {
            byStatus[record.drone.status] += 1;
            byType[record.drone.type] += 1;
            if (isSilent(record)) silent += 1;
        }
        setText(byId("fleet-total"), number(records.size));
        for (const [status, { segment, count }] of parts) {
            segment.style.flexGrow = byStatus[status];
            segment.title = `${byStatus[status]} ${status}`;
            setText(count, number(byStatus[status]));
        }
        setText(byId("fleet-types"), droneTypes.map((type) => `${number(byType[type])} ${type}`).join(" · "));
        const note = byId("fleet-silent");
        note.hidden = silent === 0;
        setText(note, `${number(silent)} busy and silent for over 15 s`);
        setData(document.body, "drones", records.size);
    };
}

/** The tiles of `GET /fleet/stats`. */
export function showStats(stats) {
    setText(byId("backlog"), number(stats.backlog));
    setText(byId("rate"), number(stats.deliveries_per_minute, 1));
    for (const [name, quantiles] of [["assignment", stats.assignment_ms], ["delivery", stats.delivery_ms]]) {
        for (const quantile of ["p50", "p95"]) {
            const value = quantiles?.[quantile];
            setText(byId(`${name}-${quantile}`), typeof value === "number" ? duration(value) : nothing);
        }
        byId(name).title = typeof quantiles?.p99 === "number" ? `p99 ${duration(quantiles.p99)}` : "";
    }
    const open = stats.deliveries?.by_status ?? {};
    const parts = ["assigned", "in_flight"].filter((status) => typeof open[status] === "number");
    setText(byId("open-deliveries"), parts.map((status) => `${number(open[status])} ${words(status)}`).join(" · "));
}
