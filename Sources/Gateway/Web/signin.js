// Signing in and out. The token stays in memory: a reload forgets it.

import { byId, el, setData } from "./dom.js";
import { session } from "./api.js";
import { report, resolved } from "./problems.js";

/** Wires the header's button and the dialog. Returns a function that opens the dialog. */
export function setUpSignIn() {
    const button = byId("sign-in");
    const dialog = byId("sign-in-dialog");
    const form = dialog.querySelector("form");
    const message = form.querySelector("[role=alert]");
    const submit = form.querySelector("[type=submit]");

    function open() {
        message.textContent = "";
        if (!dialog.open) dialog.showModal();
        form.elements.username.focus();
    }

    button.addEventListener("click", async () => {
        if (!session.token) return open();
        try {
            await session.signOut();
            resolved("signing out");
        } catch (error) {
            report("signing out", error, "The token was forgotten here all the same.");
        }
    });
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        submit.disabled = true;
        message.textContent = "";
        try {
            await session.signIn(form.elements.username.value, form.elements.password.value);
            dialog.close();
        } catch (problem) {
            message.textContent = problem.status === 401
                ? "Wrong name or password."
                : [problem.title, problem.detail].filter(Boolean).join(". ");
        } finally {
            form.elements.password.value = "";
            submit.disabled = false;
        }
    });

    session.addEventListener("needed", () => {
        report("signing in", "This gateway shows its data to signed-in users only.", "Use “Sign in” above.");
    });
    session.addEventListener("change", () => {
        if (session.token) resolved("signing in");
        const who = session.role ? `${session.username} (${session.role})` : session.username;
        if (session.token) button.replaceChildren("Sign out", el("span", { class: "who" }, who));
        else button.replaceChildren("Sign in");
    });
    // From here on the header's button answers.
    setData(document.body, "ready", "yes");
    return open;
}
