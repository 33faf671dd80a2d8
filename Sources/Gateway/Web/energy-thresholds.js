// The thresholds: shown to all, changed by those who signed in as administrators.

import { byId, el, setText } from "./dom.js";
import { number } from "./format.js";
import { call, session } from "./api.js";
import { thresholdFields, thresholdsOf } from "./energy-rules.js";

/** The table, and the form for one scope: "" is the default, otherwise a floor's number. */
export class Thresholds {
    value = null;
    /** The version of `value`, and the one that the form was filled from: saving over another one must fail. */
    #latestTag = null;
    #formTag = null;
    #isDirty = false;
    #form = byId("thresholds-form");
    #scope = byId("thresholds-scope");
    #message = byId("thresholds-message");
    #reset = byId("thresholds-reset");
    #inputs = new Map();
    #onChange;

    constructor({ onChange }) {
        this.#onChange = onChange;
        for (const { name, label, unit } of thresholdFields) {
            const input = el("input", { type: "number", step: "any", min: "0", required: true, name });
            const problem = el("span", { class: "form-error", id: `problem-${name}` });
            input.setAttribute("aria-describedby", problem.id);
            this.#inputs.set(name, { input, problem });
            byId("thresholds-fields").append(el("label", { class: "field" }, `${label} (${unit})`, input, problem));
        }
        this.#form.addEventListener("input", (event) => {
            if (event.target !== this.#scope) this.#isDirty = true;
        });
        this.#scope.addEventListener("change", () => {
            this.#say("");
            this.#fill();
        });
        this.#form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#submit();
        });
        this.#reset.addEventListener("click", () => {
            this.#save(this.#without(this.#scope.value), "The default is in force on this floor again.");
        });
        session.addEventListener("change", () => this.#showForm());
        this.#showForm();
    }

    async load() {
        const { body, etag } = await call("GET", "/admin/thresholds");
        this.#take(body, etag);
    }

    /** Offers these floors in the form, besides those that have thresholds of their own. */
    offer(floors) {
        const wanted = [...new Set([...floors.map(String), ...Object.keys(this.value?.per_floor ?? {})])]
            .sort((a, b) => Number(a) - Number(b));
        const options = ["", ...wanted];
        if (options.join() === [...this.#scope.options].map((option) => option.value).join()) return;
        const chosen = this.#scope.value;
        this.#scope.replaceChildren(...options.map((floor) => (
            el("option", { value: floor }, floor === "" ? "Default" : `Floor ${floor}`))));
        this.#scope.value = options.includes(chosen) ? chosen : "";
    }

    #take(value, etag) {
        const changed = JSON.stringify(value) !== JSON.stringify(this.value);
        this.#latestTag = etag;
        if (!this.#isDirty) this.#formTag = etag;
        if (!changed) return;
        this.value = value;
        this.#draw();
        if (!this.#isDirty) this.#fill();
        this.#onChange();
    }

    #draw() {
        const row = (name, values, own) => el(
            "tr", {}, el("th", { scope: "row" }, name),
            ...thresholdFields.map((field) => (
                el("td", { class: own && field.name in own ? "n own" : "n" }, number(values[field.name], 3)))));
        const perFloor = Object.entries(this.value.per_floor ?? {}).sort(([a], [b]) => Number(a) - Number(b));
        byId("thresholds-rows").replaceChildren(
            row("Default", this.value.default ?? {}),
            ...perFloor.map(([floor, own]) => row(`Floor ${floor}`, thresholdsOf(floor, this.value), own)));
        this.offer([...this.#scope.options].map((option) => option.value).filter(Boolean));
    }

    #showForm() {
        this.#form.hidden = session.token === null;
        byId("thresholds-sign-in").hidden = session.token !== null;
        this.#say("");
        this.#fill();
    }

    #fill() {
        this.#isDirty = false;
        this.#formTag = this.#latestTag;
        const scope = this.#scope.value;
        const values = scope === "" ? this.value?.default ?? {} : thresholdsOf(scope, this.value);
        for (const [name, { input, problem }] of this.#inputs) {
            input.value = Number.isFinite(values[name]) ? String(values[name]) : "";
            problem.textContent = "";
        }
        this.#reset.hidden = scope === "" || !(scope in (this.value?.per_floor ?? {}));
    }

    async #submit() {
        const values = {};
        for (const [name, { input }] of this.#inputs) values[name] = input.valueAsNumber;
        for (const { problem } of this.#inputs.values()) problem.textContent = "";
        if (values.volt_min >= values.volt_max) {
            this.#inputs.get("volt_min").problem.textContent = "Must be below the highest voltage.";
            this.#inputs.get("volt_min").input.focus();
            return;
        }
        const scope = this.#scope.value;
        const next = scope === ""
            ? { ...this.value, default: values }
            : { ...this.value, per_floor: { ...this.value.per_floor, [scope]: values } };
        await this.#save(next, "Saved: in force from the next reading on.");
    }

    #without(scope) {
        const { [scope]: _, ...others } = this.value.per_floor ?? {};
        return { ...this.value, per_floor: others };
    }

    async #save(next, done) {
        const buttons = [...this.#form.querySelectorAll("button")];
        for (const button of buttons) button.disabled = true;
        this.#say("Saving…");
        try {
            const headers = this.#formTag ? { "If-Match": this.#formTag } : {};
            const { body, etag } = await call("PUT", "/admin/thresholds", { body: next, headers });
            this.#isDirty = false;
            this.#take(body ?? next, etag);
            this.#fill();
            this.#say(done);
        } catch (problem) {
            await this.#explain(problem);
        } finally {
            for (const button of buttons) button.disabled = false;
        }
    }

    async #explain(problem) {
        switch (problem.status) {
            case 401:
                return this.#say("Your session has ended: sign in again.", true);
            case 403:
                return this.#say("Your account may not change thresholds: the role admin is needed.", true);
            case 412:
                this.#isDirty = false;
                await this.load().catch(() => {});
                this.#fill();
                return this.#say(
                    "Somebody else has changed the thresholds. The form shows theirs: make your change again.", true);
            case 504:
                return this.#say("It is not known whether this was saved. The table shows what is in force.", true);
        }
        let elsewhere = problem.fields.length === 0;
        for (const { name, reason } of problem.fields) {
            const target = this.#inputs.get(name.split(/[./]/).at(-1));
            if (target) target.problem.textContent = reason;
            else elsewhere = true;
        }
        const whole = [problem.title, problem.detail].filter(Boolean).join(". ");
        this.#say(elsewhere ? whole : "Not saved: see the fields marked above.", true);
    }

    #say(text, isError = false) {
        setText(this.#message, text);
        this.#message.classList.toggle("form-error", isError);
    }
}
