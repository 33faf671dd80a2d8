// Readings against thresholds: pure functions.

/** The measures of a reading: the name of its field, of its threshold, its unit and decimals. */
export const measures = {
    kw: { field: "sensore2_kw", label: "Power", unit: "kW", digits: 2 },
    amp: { field: "sensore3_corrente", label: "Current", unit: "A", digits: 1 },
    volt: { field: "sensore3_tensione", label: "Voltage", unit: "V", digits: 1 },
    kwh: { field: "sensore1_kwh", label: "Meter", unit: "kWh", digits: 2 },
    dkwh: { field: null, label: "Energy step", heading: "Δ kWh", unit: "kWh", digits: 3 },
};

/** The thresholds' fields in the order of the form. */
export const thresholdFields = [
    { name: "kw", label: "Power, at most", unit: "kW" },
    { name: "amp", label: "Current, at most", unit: "A" },
    { name: "volt_min", label: "Voltage, at least", unit: "V" },
    { name: "volt_max", label: "Voltage, at most", unit: "V" },
    { name: "dkwh", label: "Energy between readings, at most", unit: "kWh" },
];

/** The thresholds in force on a floor: the default with the floor's own on top; empty while none are known. */
export function thresholdsOf(floor, thresholds) {
    return { ...thresholds?.default, ...thresholds?.per_floor?.[String(floor)] };
}

/** The energy between a reading and the one before it, or NaN: a meter that went back has been changed. */
export function energyStep(reading, before) {
    const step = before ? reading[measures.kwh.field] - before[measures.kwh.field] : NaN;
    return step >= 0 ? step : NaN;
}

/** Which measures of a reading are out of bounds: a list of `{measure, value, limit, side}`, side "over" or "under". */
export function breaches(reading, before, limits) {
    const found = [];
    const check = (measure, value, limit, side) => {
        if (!Number.isFinite(value) || !Number.isFinite(limit)) return;
        if (side === "over" ? value > limit : value < limit) found.push({ measure, value, limit, side });
    };
    check("kw", reading[measures.kw.field], limits.kw, "over");
    check("amp", reading[measures.amp.field], limits.amp, "over");
    check("volt", reading[measures.volt.field], limits.volt_max, "over");
    check("volt", reading[measures.volt.field], limits.volt_min, "under");
    check("dkwh", energyStep(reading, before), limits.dkwh, "over");
    return found;
}

/** The usual time between readings in ms (the median), or NaN for fewer than two. Newest first. */
export function usualPause(readings) {
    const pauses = readings.slice(0, 12).map((reading, index, list) => (
        index + 1 < list.length ? Date.parse(reading.timestamp) - Date.parse(list[index + 1].timestamp) : NaN));
    const known = pauses.filter((pause) => pause > 0).sort((a, b) => a - b);
    return known.length === 0 ? NaN : known[Math.floor(known.length / 2)];
}

/** Joins newly read readings to known ones: newest first, each time once, at most `max`. Null when there is a gap. */
export function joinReadings(known, fresh, max) {
    if (known.length > 0 && fresh.length > 0 && fresh.at(-1).timestamp > known[0].timestamp) return null;
    const byTime = new Map();
    for (const reading of [...known, ...fresh]) byTime.set(reading.timestamp, reading);
    const newestFirst = (a, b) => (a.timestamp < b.timestamp ? 1 : a.timestamp > b.timestamp ? -1 : 0);
    return [...byTime.values()].sort(newestFirst).slice(0, max);
}

const alertTypes = {
    kw_over: { text: "Power over the threshold", unit: "kW" },
    amp_over: { text: "Current over the threshold", unit: "A" },
    volt_over: { text: "Voltage over the threshold", unit: "V" },
    volt_under: { text: "Voltage under the threshold", unit: "V" },
    dkwh_over: { text: "Energy step over the threshold", unit: "kWh" },
    pattern_outlier_kw: { text: "Unusual power", unit: "kW" },
    pattern_outlier_amp: { text: "Unusual current", unit: "A" },
    pattern_outlier_volt: { text: "Unusual voltage", unit: "V" },
    pattern_outlier_dkwh: { text: "Unusual energy step", unit: "kWh" },
    no_data: { text: "No data", unit: "" },
};

/** An alert's type in words, with its unit; a type not known here keeps its name. */
export function alertType(type) {
    return alertTypes[type] ?? { text: String(type ?? "alert").replaceAll("_", " "), unit: "" };
}
