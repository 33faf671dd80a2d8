// The drones on the map: one canvas, drawn again while anything moves. A drone glides from where it is drawn to where
// it last said it was, in about the time between its reports, so the picture is at most one report behind.

import { canvasLayer } from "./canvas-layer.js";
import { onThemeChange, themeColor } from "./dom.js";
import { Sprites, droneStatuses } from "./drone-symbols.js";
import { isSilent } from "./fleet-stores.js";

/** The glide is as long as the last pause between reports, within these bounds (ms). */
const GLIDE_MIN_MS = 100;
const GLIDE_MAX_MS = 1_500;
/** A report further away than this (world units of zoom 0: about 3 km at 42° N) is a jump, not a flight. */
const JUMP = 0.026;
/** How near a click must be to a drone, in pixels. */
const REACH = 15;
/** At most this share of the time is spent on drawing: with many drones the picture is drawn less often. */
const DRAWING_SHARE = 0.5;

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** The drones' layer. `update(record)` and `remove(id)` follow the store; `selected` is the id of the marked one. */
export class DroneLayer {
    selected = null;
    #motions = new Map();
    #sprites = new Sprites();
    #movingUntil = 0;
    #drawMs = 0;
    #timer = null;
    #view = null;

    constructor(L, pane) {
        this.L = L;
        this.layer = canvasLayer(L, { pane, draw: (context, view) => this.#draw(context, view) });
        onThemeChange(() => {
            this.#sprites.clear();
            this.layer.redraw();
        });
    }

    update(record) {
        const { position, heading } = record.drone;
        if (!Number.isFinite(position?.lat) || !Number.isFinite(position?.lon)) return this.remove(record.drone.id);
        const now = performance.now();
        const target = this.L.CRS.EPSG3857.latLngToPoint(this.L.latLng(position.lat, position.lon), 0);
        const angle = Number.isFinite(heading) ? heading : 0;
        const motion = this.#motions.get(record.drone.id);
        if (!motion) {
            const rest = { x0: target.x, y0: target.y, h0: angle, x1: target.x, y1: target.y, h1: angle };
            this.#motions.set(record.drone.id, { record, ...rest, start: now, end: now, at: now });
        } else {
            const here = where(motion, now);
            const jumps = Math.hypot(target.x - here.x, target.y - here.y) > JUMP || reducedMotion.matches;
            const glide = Math.min(GLIDE_MAX_MS, Math.max(GLIDE_MIN_MS, now - motion.at));
            Object.assign(motion, {
                record,
                x0: jumps ? target.x : here.x,
                y0: jumps ? target.y : here.y,
                h0: jumps ? angle : here.heading,
                x1: target.x,
                y1: target.y,
                h1: angle,
                start: now,
                end: jumps ? now : now + glide,
                at: now,
            });
            this.#movingUntil = Math.max(this.#movingUntil, motion.end);
        }
        this.#wake();
    }

    remove(id) {
        if (this.#motions.delete(id)) this.#wake();
    }

    /** Draws again, after a change that is not a drone's. */
    redraw() {
        this.#wake();
    }

    /** The drone nearest to a point of the map's container (pixels) within reach, or null. */
    nearest(point) {
        if (!this.#view) return null;
        const { scale, left, top } = this.#view;
        const now = performance.now();
        let best = null;
        let distance = REACH;
        for (const motion of this.#motions.values()) {
            const { x, y } = where(motion, now);
            const gap = Math.hypot(x * scale - left - point.x, y * scale - top - point.y);
            if (gap < distance) [best, distance] = [motion.record, gap];
        }
        return best;
    }

    /** Where a drone is drawn now, as Leaflet's coordinates, or null. */
    drawnAt(id) {
        const motion = this.#motions.get(id);
        if (!motion) return null;
        const { x, y } = where(motion, performance.now());
        return this.L.CRS.EPSG3857.pointToLatLng(this.L.point(x, y), 0);
    }

    #wake() {
        if (this.#timer !== null) return;
        this.#timer = setTimeout(() => {
            this.#timer = null;
            this.layer.redraw();
        }, this.#drawMs / DRAWING_SHARE - this.#drawMs);
    }

    #draw(context, view) {
        const started = performance.now();
        this.#view = view;
        const { width, height, scale, left, top, ratio } = view;
        // Symbols shrink when the fleet is large and the city small on the screen.
        const crowd = this.#motions.size / ((width * height) / 10_000);
        const size = crowd > 40 ? 0.6 : crowd > 12 ? 0.8 : 1;
        let chosen = null;
        const byStatus = new Map(droneStatuses.map((status) => [status, []]));
        for (const motion of this.#motions.values()) {
            const at = where(motion, started);
            const x = at.x * scale - left;
            const y = at.y * scale - top;
            if (x < -20 || y < -20 || x > width + 20 || y > height + 20) continue;
            const { drone } = motion.record;
            const spot = { x, y, heading: at.heading, record: motion.record };
            if (drone.id === this.selected) chosen = spot;
            else (byStatus.get(drone.status) ?? byStatus.get("inactive")).push(spot);
        }
        const stamp = ({ x, y, heading, record }, zoom, alpha) => {
            const sprite = this.#sprites.get(record.drone.type, record.drone.status, zoom, ratio);
            const angle = (heading * Math.PI) / 180;
            const [cos, sin] = [Math.cos(angle) * ratio, Math.sin(angle) * ratio];
            context.globalAlpha = isSilent(record) ? alpha * 0.35 : alpha;
            context.setTransform(cos, sin, -sin, cos, x * ratio, y * ratio);
            context.drawImage(sprite.canvas, -sprite.size / 2, -sprite.size / 2, sprite.size, sprite.size);
        };
        // With one chosen, the others step back.
        const others = chosen ? 0.5 : 1;
        for (const spots of byStatus.values()) for (const spot of spots) stamp(spot, size, others);
        if (chosen) {
            ring(context, chosen.x, chosen.y, ratio);
            stamp(chosen, 1.25, 1);
        }
        context.globalAlpha = 1;
        this.#drawMs = performance.now() - started;
        if (started < this.#movingUntil) this.#wake();
    }
}

/** Where a motion is at a moment: world coordinates and heading. */
function where(motion, now) {
    if (now >= motion.end) return { x: motion.x1, y: motion.y1, heading: motion.h1 };
    const part = (now - motion.start) / (motion.end - motion.start);
    const turn = ((motion.h1 - motion.h0 + 540) % 360) - 180;
    return {
        x: motion.x0 + (motion.x1 - motion.x0) * part,
        y: motion.y0 + (motion.y1 - motion.y0) * part,
        heading: motion.h0 + turn * Math.min(1, part * 3),
    };
}

function ring(context, x, y, ratio) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.beginPath();
    context.arc(x, y, 17, 0, Math.PI * 2);
    context.fillStyle = themeColor("--accent-soft");
    context.globalAlpha = 0.85;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = themeColor("--accent");
    context.stroke();
}
