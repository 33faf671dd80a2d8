// The ground of the map, in place of tiles: the city's area and a fine grid of degrees with their numbers.

import { canvasLayer } from "./canvas-layer.js";
import { onThemeChange, themeColor } from "./dom.js";

/** Distances between lines, in degrees; the first that leaves `LINE_GAP_MIN` pixels is used. */
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20];
const LINE_GAP_MIN = 90;

/** The layer for a city with these bounds (Leaflet's `LatLngBounds`). */
export function graticule(L, map, pane, bounds) {
    let colors = readColors();
    const layer = canvasLayer(L, { pane, draw });
    onThemeChange(() => {
        colors = readColors();
        layer.redraw();
    });
    return layer;

    function draw(context, view) {
        const northWest = view.project(bounds.getNorthWest());
        const southEast = view.project(bounds.getSouthEast());
        context.save();
        context.shadowColor = "rgb(0 0 0 / 18%)";
        context.shadowBlur = 18;
        context.fillStyle = colors.inside;
        context.fillRect(northWest.x, northWest.y, southEast.x - northWest.x, southEast.y - northWest.y);
        context.restore();

        const shown = map.getBounds();
        const middle = map.getCenter();
        const degree = view.project([middle.lat, middle.lng + 1]).x - view.project(middle).x;
        const step = STEPS.find((candidate) => candidate * degree >= LINE_GAP_MIN) ?? STEPS.at(-1);
        const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));

        context.lineWidth = 1;
        context.strokeStyle = colors.grid;
        context.fillStyle = colors.text;
        context.font = "10px system-ui, sans-serif";
        context.beginPath();
        for (let lon = Math.ceil(shown.getWest() / step) * step; lon < shown.getEast(); lon += step) {
            const x = Math.round(view.project([middle.lat, lon]).x) + 0.5;
            context.moveTo(x, 0);
            context.lineTo(x, view.height);
            context.fillText(`${Math.abs(lon).toFixed(digits)}°${lon < 0 ? "W" : "E"}`, x + 4, 12);
        }
        for (let lat = Math.ceil(shown.getSouth() / step) * step; lat < shown.getNorth(); lat += step) {
            const y = Math.round(view.project([lat, middle.lng]).y) + 0.5;
            context.moveTo(0, y);
            context.lineTo(view.width, y);
            const label = `${Math.abs(lat).toFixed(digits)}°${lat < 0 ? "S" : "N"}`;
            context.fillText(label, view.width - context.measureText(label).width - 5, y - 4);
        }
        context.stroke();

        context.strokeStyle = colors.edge;
        context.strokeRect(northWest.x, northWest.y, southEast.x - northWest.x, southEast.y - northWest.y);
    }
}

function readColors() {
    return {
        inside: themeColor("--map-inside"),
        grid: themeColor("--map-grid"),
        text: themeColor("--map-grid-text"),
        edge: themeColor("--line-strong"),
    };
}
