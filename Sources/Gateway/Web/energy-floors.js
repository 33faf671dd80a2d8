// The floors' cards: latest readings, what is out of bounds, and a chart. Only cards on the screen read their history
// and hold a chart, so a building of hundreds of floors costs no more than what one looks at.

import { byId, el, setData, setText, setTime } from "./dom.js";
import { age, fixed, nothing, number } from "./format.js";
import { get, serverNow } from "./api.js";
import { report, resolved } from "./problems.js";
import { PowerChart } from "./energy-chart.js";
import { breaches, energyStep, joinReadings, measures, thresholdsOf, usualPause } from "./energy-rules.js";

/** Readings kept of a floor on the screen: the chart's length. */
const HISTORY_MAX = 240;
/** Readings asked for when a new one is known to be there. */
const REFRESH_COUNT = 12;
/** Histories read at the same time. */
const CALLS_MAX = 4;
/** A floor is silent after this many of its usual pauses without a reading, and not before this long (ms). */
const SILENT_PAUSES = 3;
const SILENT_MIN_MS = 60_000;

const columns = ["kw", "amp", "volt", "kwh", "dkwh"];

/** All cards, in the order of their floors. */
export class Floors {
    count = 5;
    thresholds = null;
    Chart = null;
    #cards = new Map();
    #queue = new Set();
    #calls = 0;
    #place = byId("floors");
    #observer = new IntersectionObserver((entries) => {
        for (const { target, isIntersecting } of entries) {
            this.#cards.get(Number(target.dataset.floor))?.setVisible(isIntersecting);
        }
    }, { rootMargin: "150px" });

    /** The numbers of the floors that have a card. */
    get numbers() {
        return [...this.#cards.keys()];
    }

    /** Takes in the floors with their latest readings, as `GET /floors` has them. */
    show(items) {
        for (const { piano, latest } of items) this.card(piano).setLatest(latest ?? null);
        this.render();
    }

    /** The card of a floor; a new one takes its place by number. */
    card(floor) {
        let card = this.#cards.get(floor);
        if (card) return card;
        card = new FloorCard(floor, this);
        this.#cards.set(floor, card);
        const after = [...this.#place.children].find((node) => Number(node.dataset.floor) > floor);
        this.#place.insertBefore(card.node, after ?? null);
        this.#observer.observe(card.node);
        return card;
    }

    /** Draws all cards on the screen again, and the totals. */
    render() {
        let [rows, breached] = [0, 0];
        for (const card of this.#cards.values()) {
            card.render();
            rows += card.rows;
            if (card.isBreached) breached += 1;
        }
        byId("floors-empty").hidden = this.#cards.size > 0;
        setText(byId("floor-count"), number(this.#cards.size));
        setText(byId("floors-breached"), number(breached));
        setData(byId("floors-breached"), "some", breached > 0);
        setData(document.body, "floors", this.#cards.size);
        setData(document.body, "readings", rows);
        setData(document.body, "breached", breached);
    }

    /** Makes the charts again, after a change of colours or when the library has come. */
    redrawCharts() {
        for (const card of this.#cards.values()) card.dropChart();
        this.render();
    }

    /** Reads a floor's history as soon as a call is free. */
    request(card) {
        this.#queue.add(card);
        this.#work();
    }

    async #work() {
        while (this.#calls < CALLS_MAX && this.#queue.size > 0) {
            const [card] = this.#queue;
            this.#queue.delete(card);
            this.#calls += 1;
            card.read().then(() => resolved("readings"), (problem) => report("readings", problem)).finally(() => {
                this.#calls -= 1;
                this.render();
                this.#work();
            });
        }
    }
}

class FloorCard {
    rows = 0;
    isBreached = false;
    #floors;
    #floor;
    #latest = null;
    #changedAt = Date.now();
    #readings = [];
    #isVisible = false;
    #chart = null;
    #drawn = null;
    #parts;

    constructor(floor, floors) {
        this.#floor = floor;
        this.#floors = floors;
        this.#parts = {
            state: el("span", { class: "chip" }),
            power: el("span", { class: "power numeric" }),
            when: el("time"),
            ago: el("span", { class: "muted" }),
            chart: el("div", { class: "chart" }),
            rows: el("tbody"),
        };
        const { state, power, when, ago, chart, rows } = this.#parts;
        const head = el("tr", {}, el("th", { scope: "col" }, "Time"), ...columns.map((name) => {
            const { label, heading, unit } = measures[name];
            return el("th", { scope: "col", class: "n", title: label }, heading ?? unit);
        }));
        this.node = el(
            "article", { class: "panel floor", data: { floor }, "aria-label": `Floor ${floor}`, tabindex: "-1" },
            el("header", {}, el("h3", {}, `Floor ${floor}`), state, el("span", { class: "end" }, power)),
            chart,
            el("p", { class: "latest" }, "Last reading ", when, " ", ago),
            el("div", { class: "readings" }, el("table", {}, el("thead", {}, head), rows)));
    }

    setLatest(latest) {
        if (latest?.timestamp === this.#latest?.timestamp) return;
        this.#latest = latest;
        this.#changedAt = Date.now();
        if (this.#isVisible) this.#floors.request(this);
    }

    setVisible(isVisible) {
        this.#isVisible = isVisible;
        if (!isVisible) return this.dropChart();
        if (this.#isBehind) this.#floors.request(this);
        this.render();
    }

    dropChart() {
        this.#chart?.close();
        this.#chart = null;
        this.#drawn = null;
    }

    get #isBehind() {
        return this.#readings.length === 0 || this.#readings[0].timestamp < (this.#latest?.timestamp ?? "");
    }

    /** Reads the history, or only its newest part when that joins what is known. */
    async read() {
        const path = `/floors/${this.#floor}/readings?limit=`;
        if (this.#readings.length > 0) {
            const { items } = await get(path + REFRESH_COUNT);
            const joined = joinReadings(this.#readings, items, HISTORY_MAX);
            if (joined) {
                this.#readings = joined;
                return;
            }
        }
        this.#readings = joinReadings([], (await get(path + HISTORY_MAX)).items, HISTORY_MAX);
    }

    render() {
        const limits = thresholdsOf(this.#floor, this.#floors.thresholds);
        const readings = this.#readings.length > 0 ? this.#readings : this.#latest ? [this.#latest] : [];
        const newest = readings[0];
        const found = newest ? breaches(newest, readings[1], limits) : [];
        this.isBreached = found.length > 0;
        this.#renderState(newest, found, readings);
        if (!this.#isVisible) {
            this.rows = newest ? 1 : 0;
            return;
        }
        // The table and the chart change only with a reading, the thresholds or the chosen number of rows.
        const drawn = JSON.stringify([newest?.timestamp, readings.length, limits, this.#floors.count]);
        if (drawn === this.#drawn) return;
        this.#drawn = drawn;
        this.#renderRows(readings, limits);
        this.#renderChart(readings, limits);
    }

    #renderState(newest, found, readings) {
        const { state, power, when, ago } = this.#parts;
        setText(power, newest ? `${fixed(newest[measures.kw.field], 2)} kW` : nothing);
        setTime(when, newest?.timestamp);
        const sinceReading = serverNow() - Date.parse(newest?.timestamp);
        setText(ago, newest ? `(${age(sinceReading)} ago)` : "");
        const patience = Math.max(SILENT_MIN_MS, SILENT_PAUSES * (usualPause(readings) || 0));
        const isSilent = newest !== undefined && sinceReading > patience && Date.now() - this.#changedAt > patience;
        let [text, tone] = ["normal", "good"];
        if (!newest) [text, tone] = ["no readings yet", ""];
        else if (isSilent) [text, tone] = ["silent", "warn"];
        else if (found.length > 0) {
            text = found.map(({ measure, side }) => `${measures[measure].label.toLowerCase()} ${side}`).join(", ");
            tone = "bad";
        } else if (!this.#floors.thresholds) [text, tone] = ["thresholds unknown", ""];
        setText(state, text);
        state.className = `chip ${tone}`;
        power.classList.toggle("over", found.some(({ measure }) => measure === "kw"));
        this.node.classList.toggle("silent", isSilent);
    }

    #renderRows(readings, limits) {
        const shown = readings.slice(0, this.#floors.count);
        this.rows = shown.length;
        this.#parts.rows.replaceChildren(...shown.map((reading, index) => {
            const before = readings[index + 1];
            const found = breaches(reading, before, limits);
            const time = el("time");
            setTime(time, reading.timestamp);
            return el("tr", {}, el("td", {}, time), ...columns.map((name) => {
                const { field, digits, unit } = measures[name];
                const value = field ? reading[field] : energyStep(reading, before);
                const breach = found.find(({ measure }) => measure === name);
                if (!breach) return el("td", { class: "n" }, fixed(value, digits));
                return el(
                    "td", { class: "n over", title: `${breach.side} the threshold of ${breach.limit} ${unit}` },
                    el("span", { "aria-hidden": "true" }, breach.side === "over" ? "▲ " : "▼ "),
                    fixed(value, digits),
                    el("span", { class: "visually-hidden" }, ` ${breach.side} the threshold`));
            }));
        }));
        if (shown.length === 0) {
            const none = el("td", { colspan: String(columns.length + 1), class: "muted" }, "No readings yet.");
            this.#parts.rows.append(el("tr", {}, none));
        }
    }

    #renderChart(readings, limits) {
        const { Chart } = this.#floors;
        this.#parts.chart.hidden = !Chart;
        if (!Chart) return;
        this.#chart ??= new PowerChart(Chart, this.#parts.chart);
        this.#chart.show(readings, limits.kw);
    }
}

/** The number of a floor from a text field, or null with the reason shown on the field. */
export function floorNumber(field) {
    const value = Number(field.value);
    const isValid = field.value.trim() !== "" && Number.isInteger(value);
    field.setCustomValidity(isValid ? "" : "A floor is a whole number.");
    field.reportValidity();
    return isValid ? value : null;
}
