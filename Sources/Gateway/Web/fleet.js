// The fleet's page: brings the stores, the stream, the map, the table and the figures together.

import { byId, el, onThemeChange, setData, setText, throttled } from "./dom.js";
import { number, words } from "./format.js";
import { get, gateway, session } from "./api.js";
import { EventStream } from "./sse.js";
import { poll } from "./poll.js";
import { report, resolved } from "./problems.js";
import { showConnection } from "./connection.js";
import { setUpSignIn } from "./signin.js";
import { setUpHealth } from "./health.js";
import { loadLibrary } from "./library.js";
import { DeliveryStore, DroneStore } from "./fleet-stores.js";
import { DeliveryTable } from "./fleet-table.js";
import { FleetMap } from "./fleet-map.js";
import { Details } from "./fleet-details.js";
import { Selection } from "./fleet-selection.js";
import { fleetTile, showStats } from "./fleet-figures.js";
import { droneStatuses, droneTypes, symbolElement } from "./drone-symbols.js";

/** How often the figures are asked for; and how often the lists are read again, in case an event was lost (ms). */
const STATS_EVERY_MS = 3_000;
const LISTS_EVERY_MS = 60_000;
/** The screen's texts change at most this often; the map by itself. */
const RENDER_EVERY_MS = 300;
/** Names offered while one types in the search field. */
const SUGGESTIONS_MAX = 20;

let map = null;
/** Counts the stream's connections: a list is current when it was read since the last one began. */
let connection = 0;
let dronesAsOf = -1;
let deliveriesAsOf = -1;

const drones = new DroneStore({
    onChange: (record) => {
        map?.drones.update(record);
        if (record.drone.id === selection.droneId) selection.followDrone(record.drone);
        renderFigures();
    },
    onRemove: (id) => {
        map?.drones.remove(id);
        if (id === selection.droneId) selection.clear();
        renderFigures();
    },
});
const deliveries = new DeliveryStore({
    onChange: () => renderTable(),
    onShort: throttled(2_000, () => deliveriesPoll.now()),
});
const selection = new Selection({
    findDrone: (id) => drones.records.get(id)?.drone,
    onChange: () => renderSelection(),
});
const details = new Details({ onClose: () => selection.clear() });
const table = new DeliveryTable(deliveries, {
    onSelect: (delivery) => {
        selection.selectDelivery(delivery);
        reveal(drones.records.get(selection.droneId)?.drone.position ?? delivery.origin);
    },
    onFilter: (status) => {
        deliveries.choose(status);
        deliveriesPoll.now();
    },
});

const updateFleetTile = fleetTile();
const renderFigures = throttled(RENDER_EVERY_MS, () => updateFleetTile(drones.records));
const renderTable = throttled(RENDER_EVERY_MS, () => table.render());
const renderSelection = throttled(100, () => {
    const record = drones.records.get(selection.droneId) ?? null;
    const { delivery } = selection;
    const carried = delivery && record?.drone.delivery_id === delivery.id;
    details.show(record, delivery);
    table.mark(selection.deliveryId);
    map?.select(selection.droneId, delivery, carried || !delivery ? record?.drone.position : null);
});

setUpSignIn();
setUpLegend();
setUpSearch();
setUpHealth();

const stream = new EventStream("/fleet/stream", {
    onEvent: (name, document) => {
        if (name === "drone") {
            drones.apply(document);
        } else if (name === "delivery") {
            deliveries.apply(document);
            selection.followDelivery(document);
        } else if (name === "reset") {
            readLists();
        }
    },
    onOpen: () => {
        connection += 1;
        readLists();
    },
    onChange: () => renderConnection(),
});
const renderConnection = showConnection(stream, () => dronesAsOf === connection && deliveriesAsOf === connection);

const dronesPoll = poll("drones", LISTS_EVERY_MS, async () => {
    const began = connection;
    await drones.load();
    dronesAsOf = began;
    renderFigures();
});
const deliveriesPoll = poll("deliveries", LISTS_EVERY_MS, async () => {
    const began = connection;
    await deliveries.load();
    deliveriesAsOf = began;
});
stream.start();
poll("figures", STATS_EVERY_MS, async () => {
    try {
        showStats(await get("/fleet/stats"));
        byId("figures").classList.remove("old");
        setText(byId("served-by"), gateway.name ? `served by ${gateway.name}` : "");
    } catch (problem) {
        byId("figures").classList.add("old");
        throw problem;
    }
});

function readLists() {
    dronesPoll.now();
    deliveriesPoll.now();
    selection.refresh();
}

/** Brings a place into the part of the map that the details leave free. */
function reveal(position) {
    renderSelection();
    setTimeout(() => map?.reveal(position, details.covered), 150);
}

session.addEventListener("change", () => stream.restart());
setInterval(() => {
    // Ages and silence change without events.
    renderFigures();
    if (selection.droneId || selection.deliveryId) renderSelection();
    map?.drones.redraw();
    setText(byId("map-note"), mapNote(document.body.dataset.connection));
}, 1_000);
onThemeChange(renderSelection);

const place = byId("map");
const [L, city] = await Promise.all([
    loadLibrary({
        part: "map", name: "L", packageName: "libjs-leaflet", place,
        addresses: ["/lib/leaflet/leaflet.min.js", "/lib/leaflet/leaflet.js"],
    }),
    readCity(),
]);
if (L) {
    place.replaceChildren();
    try {
        map = new FleetMap(L, place, city, {
            onSelect: (id) => (id ? selection.selectDrone(id) : selection.clear()),
            describe: ({ drone }) => `${drone.id} · ${drone.type} · ${drone.status} · ${number(drone.battery)} %`,
        });
        for (const record of drones.records.values()) map.drones.update(record);
    } catch (error) {
        console.error(error);
        report("map", "The map could not be drawn", error.message);
    }
}
setData(document.body, "map", map ? "drawn" : "missing");
selection.readAddress();

function mapNote(state) {
    if (state === "stale") return "Not live: positions are from when the connection was lost.";
    return state === "live" && drones.records.size === 0 ? "No drones yet." : "";
}

/** The city; asked for until it comes. */
async function readCity() {
    for (let wait = 1_000; ; wait = Math.min(15_000, wait * 2)) {
        try {
            const city = await get("/zones");
            resolved("city");
            return city;
        } catch (problem) {
            report("city", problem);
            await new Promise((resume) => setTimeout(resume, problem.retryAfterMs ?? wait));
        }
    }
}

function setUpLegend() {
    const legend = byId("legend");
    for (const type of droneTypes) legend.append(el("li", {}, symbolElement(type), type));
    for (const status of droneStatuses.toReversed()) legend.append(el("li", { class: `swatch ${status}` }, status));
    legend.append(el("li", { class: "key charge" }, "charge point"), el("li", { class: "key hatch" }, "no-fly area"));
}

function setUpSearch() {
    const field = byId("search");
    const list = byId("search-list");
    const find = () => {
        const text = field.value.trim().toLowerCase();
        if (!text) return [];
        const found = [];
        for (const { drone } of drones.records.values()) {
            if (drone.id.toLowerCase() === text) return [drone];
            if (found.length < SUGGESTIONS_MAX && drone.id.toLowerCase().includes(text)) found.push(drone);
        }
        return found;
    };
    field.addEventListener("input", () => {
        list.replaceChildren(...find().map((drone) => (
            el("option", { value: drone.id }, `${drone.type}, ${words(drone.status)}`))));
    });
    byId("search-form").addEventListener("submit", (event) => {
        event.preventDefault();
        const [drone] = find();
        field.setCustomValidity(drone ? "" : "No drone has this in its name.");
        field.reportValidity();
        field.setCustomValidity("");
        if (!drone) return;
        selection.selectDrone(drone.id);
        reveal(drone.position);
    });
}
