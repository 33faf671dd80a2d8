// Signing in and out. The token stays in memory: a reload forgets it.

import { byId, el, setData } from "./dom.js";
import { session } from "./api.js";
import { report, resolved } from "./problems.js";

/** The dialog and those of its parts that change; the same on every page. */
function signInDialog() {
    const message = el("p", { class: "form-error", role: "alert" });
    const cancel = el("button", { type: "button" }, "Cancel");
    const submit = el("button", { type: "submit", class: "primary" }, "Sign in");
    const form = el(
        "form", { method: "dialog" },
        el("h2", { id: "sign-in-title" }, "Sign in"),
        el("label", { class: "field" }, "User name ",
            el("input", { name: "username", autocomplete: "username", required: true })),
        el("label", { class: "field" }, "Password ",
            el("input", { name: "password", type: "password", autocomplete: "current-password", required: true })),
        message,
        el("div", { class: "actions" }, cancel, submit));
    const dialog = el("dialog", { id: "sign-in-dialog", "aria-labelledby": "sign-in-title" }, form);
    cancel.addEventListener("click", () => dialog.close());
    document.body.append(dialog);
    return { dialog, form, message, submit };
}

/** Wires the header's button and the dialog. Returns a function that opens the dialog. */
export function setUpSignIn() {
    const button = byId("sign-in");
    const { dialog, form, message, submit } = signInDialog();

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
