// One symbol per class of drone, one colour per state: for the map's canvas and for the legend.

import { themeColor } from "./dom.js";

/** Outlines that point north, in units of the symbol's radius. */
const outlines = {
    light: "M0 -1.1L.68 .9L0 .5L-.68 .9Z",
    medium: "M0 -1.1L.86 .05L.5 .92L-.5 .92L-.86 .05Z",
    heavy: "M0 -1.2L.5 -.62L.95 -.62L.95 .95L-.95 .95L-.95 -.62L-.5 -.62Z",
};

/** Radius of each symbol in pixels: the heavier, the larger. */
const radii = { light: 6.5, medium: 7, heavy: 8 };

export const droneTypes = Object.keys(outlines);
/** The states in the order in which they are drawn: the last are on top. */
export const droneStatuses = ["inactive", "idle", "charging", "retiring", "busy"];

/** The colour of a state as the style sheet has it now. */
export function statusColor(status) {
    return themeColor(`--drone-${status}`) || themeColor("--drone-inactive");
}

/** The symbols as small pictures for a canvas, each painted once. `clear()` after a change of colours. */
export class Sprites {
    #pictures = new Map();

    clear() {
        this.#pictures.clear();
    }

    /** The picture of a class in a state, at a size and pixel ratio: `{canvas, size}` with its width in CSS pixels. */
    get(type, status, zoom, ratio) {
        const key = `${type} ${status} ${zoom} ${ratio}`;
        let picture = this.#pictures.get(key);
        if (!picture) {
            picture = paint(outlines[type] ? type : "medium", status, zoom, ratio);
            this.#pictures.set(key, picture);
        }
        return picture;
    }
}

function paint(type, status, zoom, ratio) {
    const radius = radii[type] * zoom;
    const size = Math.ceil(radius * 2.6 + 4);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.round(size * ratio);
    const context = canvas.getContext("2d");
    context.scale(canvas.width / size, canvas.height / size);
    context.translate(size / 2, size / 2);
    context.scale(radius, radius);
    const path = new Path2D(outlines[type]);
    context.lineJoin = "round";
    context.lineWidth = 2.6 / radius;
    context.strokeStyle = themeColor("--map-halo");
    context.stroke(path);
    context.fillStyle = statusColor(status);
    context.fill(path);
    return { canvas, size };
}

/** The symbol of a class as an SVG element, in the colour of the text around it. */
export function symbolElement(type) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const path = document.createElementNS(space, "path");
    svg.setAttribute("viewBox", "-1.4 -1.4 2.8 2.8");
    svg.setAttribute("width", "16");
    svg.setAttribute("height", "16");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", outlines[type] ?? outlines.medium);
    path.setAttribute("fill", "currentColor");
    svg.append(path);
    return svg;
}
