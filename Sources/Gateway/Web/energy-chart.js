// A floor's power over time with its threshold, drawn by Chart.js.

import { el, themeColor } from "./dom.js";
import { fixed, localTime, utcTime } from "./format.js";
import { measures } from "./energy-rules.js";

const MINUTE = 60_000;
/** Distances between the marks of the time axis; the first that gives at most `MARKS_MAX` is used. */
const STEPS = [0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1_440, 2_880, 10_080]
    .map((minutes) => minutes * MINUTE);
const MARKS_MAX = 6;

const axisClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const axisClockSeconds = new Intl.DateTimeFormat(undefined, {
    hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const axisDay = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short" });

/** A chart in a box. `show(readings, limit)` takes the newest first; `close()` frees it. */
export class PowerChart {
    #chart;
    #canvas;
    /** Dots over the threshold are smaller when there are many. */
    #dotRadius = 3.2;

    constructor(Chart, box) {
        this.#canvas = el("canvas", { role: "img" });
        box.replaceChildren(this.#canvas);
        const muted = themeColor("--muted");
        const line = themeColor("--line");
        const [accent, bad] = [themeColor("--accent"), themeColor("--bad")];
        const isOver = (context) => context.raw && context.raw.y > context.raw.limit;
        this.#chart = new Chart(this.#canvas, {
            type: "line",
            data: {
                datasets: [
                    {
                        label: "kW", data: [], borderColor: accent, borderWidth: 1.6, tension: 0.25, fill: "origin",
                        backgroundColor: `${accent}1f`,
                        pointRadius: (context) => (isOver(context) ? this.#dotRadius : 0),
                        pointBackgroundColor: bad, pointBorderColor: bad, pointHoverRadius: 4,
                        pointHoverBackgroundColor: (context) => (isOver(context) ? bad : accent),
                    },
                    {
                        label: "threshold", data: [], borderColor: bad, borderWidth: 1.2, borderDash: [6, 4],
                        pointRadius: 0, pointHitRadius: 0, fill: false,
                    },
                ],
            },
            options: {
                animation: false, parsing: false, normalized: true, maintainAspectRatio: false,
                interaction: { mode: "nearest", axis: "x", intersect: false },
                scales: {
                    x: {
                        type: "linear", grid: { color: line, drawTicks: false }, border: { display: false },
                        afterBuildTicks: (axis) => {
                            axis.ticks = timeMarks(axis.min, axis.max).map((value) => ({ value }));
                        },
                        ticks: {
                            color: muted, font: { size: 10.5 }, maxRotation: 0, autoSkip: false, padding: 4,
                            callback: axisLabel,
                        },
                    },
                    y: {
                        beginAtZero: true, grace: "8%", grid: { color: line, drawTicks: false },
                        ticks: {
                            color: muted, font: { size: 10.5 }, maxTicksLimit: 5, padding: 6,
                            callback: (value) => `${value} kW`,
                        },
                    },
                },
                plugins: {
                    legend: { display: false },
                    tooltip: {
                        displayColors: false, filter: (item) => item.datasetIndex === 0,
                        callbacks: {
                            title: ([item]) => (item ? `${localTime(item.parsed.x)} · ${utcTime(item.parsed.x)}` : ""),
                            label: ({ raw }) => {
                                const value = `${fixed(raw.y, measures.kw.digits)} kW`;
                                return raw.y > raw.limit ? `${value}, over the threshold` : value;
                            },
                        },
                    },
                },
            },
        });
    }

    show(readings, limit) {
        const points = readings
            .map((reading) => ({ x: Date.parse(reading.timestamp), y: reading[measures.kw.field], limit }))
            .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y))
            .reverse();
        const [power, threshold] = this.#chart.data.datasets;
        power.data = points;
        this.#dotRadius = points.filter((point) => point.y > limit).length > 25 ? 1.8 : 3.2;
        threshold.data = points.length > 0 && Number.isFinite(limit)
            ? [{ x: points[0].x, y: limit }, { x: points.at(-1).x, y: limit }] : [];
        Object.assign(this.#chart.options.scales.x, { min: points[0]?.x, max: points.at(-1)?.x });
        this.#chart.update("none");
        this.#canvas.setAttribute("aria-label", describe(points, limit));
    }

    close() {
        this.#chart.destroy();
        this.#canvas.remove();
    }
}

function describe(points, limit) {
    if (points.length === 0) return "No power readings yet.";
    const highest = points.reduce((best, point) => (point.y > best.y ? point : best));
    const [first, last] = [points[0], points.at(-1)];
    return `Power from ${localTime(first.x)} to ${localTime(last.x)}: now ${fixed(last.y, 2)} kW, `
        + `at most ${fixed(highest.y, 2)} kW at ${localTime(highest.x)}`
        + `${Number.isFinite(limit) ? `, threshold ${fixed(limit, 2)} kW` : ""}.`;
}

/** Round moments of the viewer's zone between two times. */
function timeMarks(from, to) {
    if (!(to > from)) return Number.isFinite(from) ? [from] : [];
    const step = STEPS.find((candidate) => (to - from) / candidate <= MARKS_MAX) ?? STEPS.at(-1);
    const zone = new Date(from).getTimezoneOffset() * MINUTE;
    const marks = [];
    for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) marks.push(at);
    return marks;
}

function axisLabel(value) {
    const date = new Date(value);
    const text = date.getSeconds() === 0 ? axisClock.format(date) : axisClockSeconds.format(date);
    return date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0 ? axisDay.format(date) : text;
}
