// Which drone and delivery are selected, kept in the address (`#drone=…`, `#delivery=…`) so that it can be shared.

import { Problem, get } from "./api.js";
import { report, resolved } from "./problems.js";
import { isOlder } from "./fleet-stores.js";

/**
 * The selection. Who selects a drone follows the drone, from one delivery to the next; who selects a delivery follows
 * the delivery, with its drone while one carries it. `findDrone(id)` gives a drone's document if the page has it.
 */
export class Selection {
    droneId = null;
    deliveryId = null;
    delivery = null;
    #followsDrone = false;
    #findDrone;
    #onChange;

    constructor({ findDrone, onChange }) {
        this.#findDrone = findDrone;
        this.#onChange = onChange;
    }

    /** Selects what the address names. */
    readAddress() {
        const wanted = new URLSearchParams(location.hash.slice(1));
        if (wanted.has("drone")) this.selectDrone(wanted.get("drone"));
        else if (wanted.has("delivery")) this.#choose({ deliveryId: wanted.get("delivery") });
    }

    /** Selects a drone, and what it carries. */
    selectDrone(id) {
        this.#choose({ droneId: id, deliveryId: this.#findDrone(id)?.delivery_id ?? null });
    }

    /** Selects a delivery, and the drone that carries it. */
    selectDelivery(delivery) {
        this.#choose({ droneId: carrier(delivery), deliveryId: delivery.id, delivery });
    }

    clear() {
        if (this.droneId || this.deliveryId) this.#choose({});
    }

    /** Takes in the selected drone's document. A finished delivery stays until the drone has another one. */
    followDrone(drone) {
        if (drone.id !== this.droneId) return;
        if (this.#followsDrone && drone.delivery_id && drone.delivery_id !== this.deliveryId) {
            this.deliveryId = drone.delivery_id;
            this.delivery = null;
            this.refresh();
        }
        this.#onChange();
    }

    /** Takes in a delivery, when it is the selected one. */
    followDelivery(delivery) {
        if (delivery.id !== this.deliveryId || isOlder(delivery, this.delivery)) return;
        this.delivery = delivery;
        if (!this.#followsDrone) this.droneId = carrier(delivery);
        this.#onChange();
    }

    /** Reads the selected delivery again, as after a lost connection. */
    async refresh() {
        const id = this.deliveryId;
        if (!id) return;
        try {
            const delivery = await get(`/deliveries/${encodeURIComponent(id)}`);
            resolved("selected delivery");
            this.followDelivery(delivery);
        } catch (problem) {
            if (this.deliveryId !== id) return;
            if (problem instanceof Problem && problem.status === 404) {
                report("selected delivery", "The selected delivery does not exist.");
                this.deliveryId = null;
                this.#onChange();
            } else {
                report("selected delivery", problem);
            }
        }
    }

    #choose({ droneId = null, deliveryId = null, delivery = null }) {
        this.droneId = droneId;
        this.deliveryId = deliveryId;
        this.delivery = delivery;
        this.#followsDrone = droneId !== null && delivery === null;
        const [name, id] = this.#followsDrone ? ["drone", droneId] : ["delivery", deliveryId];
        history.replaceState(null, "", id ? `#${name}=${encodeURIComponent(id)}` : location.pathname);
        resolved("selected delivery");
        if (!delivery) this.refresh();
        this.#onChange();
    }
}

/** The drone that has a delivery in its hands now, or null. */
function carrier(delivery) {
    return delivery.status === "assigned" || delivery.status === "in_flight" ? delivery.drone_id ?? null : null;
}
