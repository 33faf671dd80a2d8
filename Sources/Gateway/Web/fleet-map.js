// The city on the map: ground, zones, no-fly areas, charge points, the drones, and the selected delivery's line.

import { el, themeColor } from "./dom.js";
import { graticule } from "./graticule.js";
import { DroneLayer } from "./drone-layer.js";

/** How far the selected drone's trail goes back, in reports. */
const TRAIL_MAX = 240;

/** Panes from the ground up: Leaflet's own vectors are at 400, its markers at 600. */
const panes = { ground: 210, drones: 640 };

/** The map of a city (the answer of `GET /zones`) in an element. `onSelect(id or null)` answers a click. */
export class FleetMap {
    #L;
    #map;
    #labels = [];
    #lines = null;
    #trail = [];
    #trailOf = null;
    #trailLine;

    constructor(L, container, city, { onSelect, describe }) {
        this.#L = L;
        const { min_lat: south, min_lon: west, max_lat: north, max_lon: east } = city.bounds;
        const bounds = L.latLngBounds([south, west], [north, east]);
        // Leaflet 1.6 answers a tap twice where the browser has pointer events: `tap` is off.
        this.#map = L.map(container, {
            attributionControl: false, zoomSnap: 0.25, zoomDelta: 0.5, maxZoom: 18, tap: false,
            maxBounds: bounds.pad(0.6),
        });
        for (const [name, level] of Object.entries(panes)) {
            this.#map.createPane(name).style.zIndex = level;
            this.#map.getPane(name).style.pointerEvents = "none";
        }
        L.control.scale({ imperial: false, maxWidth: 140 }).addTo(this.#map);
        this.#map.fitBounds(bounds, { padding: [8, 8] });
        this.#map.setMinZoom(this.#map.getZoom() - 1);

        graticule(L, this.#map, "ground", bounds).addTo(this.#map);
        this.#addAreas(city);
        for (const point of city.charge_points ?? []) this.#addChargePoint(point);
        this.#trailLine = L.polyline([], { className: "trail", interactive: false }).addTo(this.#map);
        this.#lines = L.layerGroup().addTo(this.#map);
        this.drones = new DroneLayer(L, "drones");
        this.drones.layer.addTo(this.#map);

        this.#map.on("click", (event) => onSelect(this.drones.nearest(event.containerPoint)?.drone.id ?? null));
        this.#hover(container, describe);
        this.#map.on("zoomend", () => this.#fitLabels());
        new ResizeObserver(() => this.#map.invalidateSize({ pan: false })).observe(container);
        this.#fitLabels();
    }

    /** Marks a drone, and draws its delivery: dashed where it still has to go, with both ends. */
    select(droneId, delivery, position) {
        if (this.#trailOf !== droneId) {
            this.#trailOf = droneId;
            this.#trail = [];
        }
        if (droneId && position && Number.isFinite(position.lat)) {
            this.#trail.push([position.lat, position.lon]);
            if (this.#trail.length > TRAIL_MAX) this.#trail.shift();
        }
        this.#trailLine.setLatLngs(this.#trail);
        this.#trailLine.setStyle({ color: themeColor("--drone-busy"), weight: 2.5, opacity: 0.35 });
        this.drones.selected = droneId;
        this.drones.redraw();
        this.#drawDelivery(delivery, position);
    }

    /** Brings a place into view, at the zoom there is. `covered` pixels at the right do not count as view. */
    reveal(position, covered) {
        if (!Number.isFinite(position?.lat)) return;
        const place = [position.lat, position.lon];
        const { x, y } = this.#map.latLngToContainerPoint(place);
        const size = this.#map.getSize();
        const edge = 40;
        if (x > edge && x < size.x - covered - edge && y > edge && y < size.y - edge) return;
        const target = this.#map.project(place).add([covered / 2, 0]);
        this.#map.panTo(this.#map.unproject(target));
    }

    #addAreas(city) {
        const L = this.#L;
        (city.zones ?? []).forEach((zone, index) => {
            const ring = latLngs(zone.polygon);
            if (!ring) return;
            const area = L.polygon(ring, {
                className: "zone", interactive: false, weight: 1, fillOpacity: [0.05, 0.1, 0.15][index % 3],
            }).addTo(this.#map);
            this.#label(area, zone.name ?? zone.id, "zone-label");
        });
        for (const area of city.no_fly ?? []) {
            const ring = latLngs(area.polygon ?? area);
            if (!ring) continue;
            const shape = L.polygon(ring, {
                className: "no-fly", interactive: false, weight: 1.5, fillOpacity: 1, fillColor: "url(#no-fly-hatch)",
            });
            this.#label(shape.addTo(this.#map), area.name ?? area.id ?? "", "no-fly-label");
        }
    }

    #label(area, text, className) {
        if (!text) return;
        const node = el("span", {}, String(text));
        const icon = this.#L.divIcon({ className: `map-label ${className}`, html: node, iconSize: [0, 0] });
        this.#L.marker(middle(area), { icon, interactive: false, keyboard: false }).addTo(this.#map);
        this.#labels.push({ node, bounds: area.getBounds() });
    }

    /** Hides the labels that are wider than their area. */
    #fitLabels() {
        for (const { node, bounds } of this.#labels) {
            const left = this.#map.latLngToContainerPoint(bounds.getNorthWest()).x;
            const room = this.#map.latLngToContainerPoint(bounds.getSouthEast()).x - left;
            node.style.visibility = node.offsetWidth > room ? "hidden" : "visible";
        }
    }

    #addChargePoint({ id, position }) {
        if (!Number.isFinite(position?.lat)) return;
        const icon = this.#L.divIcon({ className: "charge-point", html: el("span"), iconSize: [14, 14] });
        this.#L.marker([position.lat, position.lon], {
            icon, keyboard: false, title: `Charge point ${id}`, zIndexOffset: -1000,
        }).addTo(this.#map);
    }

    #drawDelivery(delivery, position) {
        this.#lines.clearLayers();
        if (!delivery) return;
        const L = this.#L;
        const from = [delivery.origin.lat, delivery.origin.lon];
        const to = [delivery.destination.lat, delivery.destination.lon];
        const color = themeColor("--accent");
        const line = (points, dashed) => L.polyline(points, {
            color, weight: 2.5, opacity: dashed ? 0.9 : 0.45, dashArray: dashed ? "2 7" : null, interactive: false,
        }).addTo(this.#lines);
        const here = position && Number.isFinite(position.lat) ? [position.lat, position.lon] : null;
        if (delivery.status === "assigned" && here) line([here, from], true);
        if (delivery.status === "in_flight" && here) {
            line([from, to], false);
            line([here, to], true);
        } else {
            line([from, to], delivery.status === "pending" || delivery.status === "assigned");
        }
        for (const [place, name, title] of [[from, "A", "Origin"], [to, "B", "Destination"]]) {
            const icon = L.divIcon({ className: "stop", html: el("span", {}, name), iconSize: [20, 20] });
            L.marker(place, { icon, keyboard: false, title }).addTo(this.#lines);
        }
    }

    /** A small note beside the pointer, and the hand over a drone. */
    #hover(container, describe) {
        const note = el("div", { class: "drone-note", hidden: true });
        container.append(note);
        let frame = null;
        this.#map.on("mousemove", ({ containerPoint }) => {
            if (frame !== null) return;
            frame = requestAnimationFrame(() => {
                frame = null;
                const record = this.drones.nearest(containerPoint);
                container.classList.toggle("over-drone", record !== null);
                note.hidden = record === null;
                if (!record) return;
                note.textContent = describe(record);
                note.style.transform = `translate(${containerPoint.x + 14}px, ${containerPoint.y + 12}px)`;
            });
        });
        this.#map.on("mouseout", () => {
            note.hidden = true;
        });
    }
}

/** A ring of `[lon, lat]` pairs, as the API has them, in Leaflet's order; null when it is not one. */
function latLngs(ring) {
    if (!Array.isArray(ring) || ring.length < 3) return null;
    const points = ring.map(([lon, lat]) => [lat, lon]);
    return points.every((point) => point.every(Number.isFinite)) ? points : null;
}

/** The centre of gravity of an area, which reads better than its box's centre. */
function middle(area) {
    const ring = area.getLatLngs()[0];
    let [doubled, lat, lng] = [0, 0, 0];
    ring.forEach((a, index) => {
        const b = ring[(index + 1) % ring.length];
        const cross = a.lng * b.lat - b.lng * a.lat;
        doubled += cross;
        lat += (a.lat + b.lat) * cross;
        lng += (a.lng + b.lng) * cross;
    });
    return doubled === 0 ? area.getBounds().getCenter() : [lat / (3 * doubled), lng / (3 * doubled)];
}
