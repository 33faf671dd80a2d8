package import FleetRules

/// Bounds and rhythms of the dispatcher's decisions.
package struct DispatcherLimits: Sendable, Hashable {
    /// Actions being carried out at once; more wait for the next round. It bounds the requests in flight.
    package var actionsMax = 512
    /// Waiting deliveries that one round looks at, oldest first: what two cores decide well within a round of 250 ms.
    package var consideredPerRound = 256
    /// How old a mark gets, in ms, before the dispatcher publishes its event itself: whoever made the change comes
    /// first.
    package var markGraceMs: Int64 = 2_000
    /// Ids of closed deliveries that are remembered so that late events about them are known to be old.
    package var closedRemembered = 50_000
    /// Recorded seconds in one real second: what the simulator flies at, for expected times.
    package var speedFactor = 1.0

    /// The defaults.
    package init() {}
}

/// What the dispatcher decides, as a value: it is told what the cluster holds and says what is to be done.
///
/// Its picture of the fleet may be behind: every output is carried out by compare-and-set on the version the decision
/// was made on, and what the cluster refuses comes back as an input. Nothing in it is needed after a restart: the next
/// listing makes it again.
package struct DispatcherState: Sendable {
    /// What the dispatcher is told.
    package enum Input: Sendable {
        /// It holds the lease under this fencing token and decides; nil: it stands by.
        case leads(token: String?)
        /// A drone as it is in the cluster, from an event, a listing or an answer.
        case drone(Versioned<Drone>)
        /// A delivery as it is in the cluster.
        case delivery(Versioned<Delivery>)
        /// A listing did not find this drone.
        case droneGone(String)
        /// A listing did not find this delivery.
        case deliveryGone(String)
        /// An action has been carried out, with whatever outcome; inputs about its documents came before.
        case finished(Output)
        /// A quarter of a second has passed: assign what waits.
        case round
        /// A second has passed: look after marks, charging, fleet size and whatever disagrees.
        case housekeeping
    }

    /// What is to be done. Until ``Input/finished(_:)`` nothing else is asked about the same drone and delivery.
    package enum Output: Sendable, Hashable {
        /// Give the delivery to the drone: drone idle → busy, then delivery pending → assigned, or roll back.
        case assign(Versioned<Delivery>, to: Versioned<Drone>, etaMs: Int64)
        /// Bring the delivery on as far as its drone has come, once more by what the cluster says.
        case advance(Versioned<Delivery>, by: Drone)
        /// Fail a delivery that no drone can ever carry.
        case fail(Versioned<Delivery>, reason: String)
        /// Take its mission from a drone whose delivery is closed.
        case free(Versioned<Drone>)
        /// Set a drone's status for the fleet's sake.
        case order(Versioned<Drone>, DroneStatus)
        /// Publish what the marks of a delivery say.
        case publish(Versioned<Delivery>)
        /// Read the drone and then its delivery, and mend what disagrees.
        case verifyDrone(String, deliveryID: String?)
        /// Read the delivery and then its drone, and mend what disagrees.
        case verifyDelivery(String, droneID: String?)
        /// A document carries a later token than ours: somebody else leads.
        case stepDown(token: String)
    }

    private let limits: DispatcherLimits
    private let assignment: Assignment
    private let size: FleetSize

    /// The token we decide under; nil while we stand by.
    private var token: String?

    // The fleet as parallel arrays, in the order of first sight, so that a round's choice copies nothing.
    private var fleet: [Drone] = []
    private var versions: [Versioned<Drone>] = []
    private var isHeld: [Bool] = []
    private var places: [String: Int] = [:]

    /// Deliveries that are not over, or whose end is not settled yet.
    private var deliveries: [String: Versioned<Delivery>] = [:]
    /// Their ids in order, which is the order of creation.
    private var deliveryIDs: [String] = []
    private var heldDeliveries: Set<String> = []
    private var closed: RecentIDs

    /// Actions being carried out.
    package private(set) var actionsInFlight = 0
    /// How often an action was put off because too many were being carried out.
    package private(set) var actionsPutOff: UInt64 = 0

    /// An empty picture, standing by.
    package init(settings: FleetSettings, city: City, limits: DispatcherLimits = DispatcherLimits()) {
        self.limits = limits
        assignment = Assignment(settings: settings, city: city)
        size = FleetSize(settings: settings, city: city)
        closed = RecentIDs(capacity: limits.closedRemembered)
    }

    // MARK: What is known

    /// Ids of all drones seen.
    package var droneIDs: [String] { fleet.map(\.id) }
    /// Ids of all deliveries that are not settled, oldest first.
    package var openDeliveryIDs: [String] { deliveryIDs }
    /// A drone as last seen.
    package func drone(_ id: String) -> Drone? { places[id].map { fleet[$0] } }
    /// An unsettled delivery as last seen.
    package func delivery(_ id: String) -> Delivery? { deliveries[id]?.value }
    /// Whether it decides.
    package var isLeading: Bool { token != nil }

    // MARK: Handling

    /// Takes an input in and says what is to be done now.
    package mutating func handle(_ input: Input, nowMs: Int64) -> [Output] {
        var outputs: [Output] = []
        switch input {
        case .leads(let token):
            self.token = token
        case .drone(let drone):
            guard see(drone, &outputs) else { break }
            if let deliveryID = drone.value.deliveryID { consider(deliveryID, nowMs, &outputs) }
        case .delivery(let delivery):
            guard see(delivery, &outputs) else { break }
            consider(delivery.value.id, nowMs, &outputs)
        case .droneGone(let id):
            forgetDrone(id)
        case .deliveryGone(let id):
            forgetDelivery(id)
        case .finished(let output):
            release(output)
            if let id = Self.documents(of: output).deliveryID { consider(id, nowMs, &outputs) }
        case .round:
            guard isLeading else { break }
            _ = assignWaiting(nowMs, &outputs)
        case .housekeeping:
            guard isLeading else { break }
            let waiting = assignWaiting(nowMs, &outputs)
            orderFleet(waiting, nowMs, &outputs)
            lookAfterDeliveries(nowMs, &outputs)
            lookAfterDrones(&outputs)
        }
        return outputs
    }

    /// Takes in a drone; false when it is no newer than what is known.
    private mutating func see(_ drone: Versioned<Drone>, _ outputs: inout [Output]) -> Bool {
        noticeToken(drone.value.token, &outputs)
        guard let place = places[drone.value.id] else {
            places[drone.value.id] = fleet.count
            fleet.append(drone.value)
            versions.append(drone)
            isHeld.append(false)
            return true
        }
        guard drone.version > versions[place].version else { return false }
        fleet[place] = drone.value
        versions[place] = drone
        return true
    }

    /// Takes in a delivery; false when it is no newer than what is known, or over and settled.
    private mutating func see(_ delivery: Versioned<Delivery>, _ outputs: inout [Output]) -> Bool {
        let id = delivery.value.id
        noticeToken(delivery.value.token, &outputs)
        if let known = deliveries[id] {
            guard delivery.version > known.version else { return false }
        } else {
            if closed.contains(id) && !delivery.value.status.isClosed { return false }
            let place = deliveryIDs.partitioningIndex { $0 >= id }
            deliveryIDs.insert(id, at: place)
        }
        deliveries[id] = delivery
        settle(id)
        return deliveries[id] != nil
    }

    /// Documents are written under the token of whoever led; a later one than ours means that we do no more.
    private mutating func noticeToken(_ seen: String?, _ outputs: inout [Output]) {
        guard let seen, let token, seen > token else { return }
        self.token = nil
        outputs.append(.stepDown(token: seen))
    }

    /// Forgets a closed delivery once its events are out and its drone is free.
    private mutating func settle(_ id: String) {
        guard let delivery = deliveries[id]?.value, delivery.status.isClosed, delivery.marks.isEmpty,
            !heldDeliveries.contains(id)
        else { return }
        if let droneID = delivery.droneID, let place = places[droneID], fleet[place].deliveryID == id { return }
        closed.insert(id)
        forgetDelivery(id)
    }

    private mutating func forgetDelivery(_ id: String) {
        guard deliveries.removeValue(forKey: id) != nil else { return }
        let place = deliveryIDs.partitioningIndex { $0 >= id }
        if place < deliveryIDs.count, deliveryIDs[place] == id { deliveryIDs.remove(at: place) }
    }

    private mutating func forgetDrone(_ id: String) {
        guard let place = places[id] else { return }
        let last = fleet.count - 1
        if place != last {
            fleet[place] = fleet[last]
            versions[place] = versions[last]
            isHeld[place] = isHeld[last]
            places[fleet[place].id] = place
        }
        fleet.removeLast()
        versions.removeLast()
        isHeld.removeLast()
        places[id] = nil
    }

    // MARK: Holding documents while an action runs

    private static func documents(of output: Output) -> (droneID: String?, deliveryID: String?) {
        switch output {
        case .assign(let delivery, let drone, _): (drone.value.id, delivery.value.id)
        case .advance(let delivery, _), .fail(let delivery, _), .publish(let delivery): (nil, delivery.value.id)
        case .free(let drone): (drone.value.id, drone.value.deliveryID)
        case .order(let drone, _): (drone.value.id, nil)
        case .verifyDrone(let droneID, let deliveryID): (droneID, deliveryID)
        case .verifyDelivery(let deliveryID, let droneID): (droneID, deliveryID)
        case .stepDown: (nil, nil)
        }
    }

    /// Gives an action out when its documents are free and not too many actions run.
    @discardableResult
    private mutating func act(_ output: Output, _ outputs: inout [Output]) -> Bool {
        let (droneID, deliveryID) = Self.documents(of: output)
        let place = droneID.flatMap { places[$0] }
        if let place, isHeld[place] { return false }
        if let deliveryID, heldDeliveries.contains(deliveryID) { return false }
        guard actionsInFlight < limits.actionsMax else {
            actionsPutOff += 1
            return false
        }
        if let place { isHeld[place] = true }
        if let deliveryID { heldDeliveries.insert(deliveryID) }
        actionsInFlight += 1
        outputs.append(output)
        return true
    }

    private mutating func release(_ output: Output) {
        if case .stepDown = output { return }
        let (droneID, deliveryID) = Self.documents(of: output)
        if let droneID, let place = places[droneID] { isHeld[place] = false }
        if let deliveryID {
            heldDeliveries.remove(deliveryID)
            settle(deliveryID)
        }
        actionsInFlight -= 1
    }

    // MARK: Deciding

    /// Does what a delivery needs at once.
    private mutating func consider(_ id: String, _ nowMs: Int64, _ outputs: inout [Output]) {
        guard isLeading, let delivery = deliveries[id], !heldDeliveries.contains(id) else { return }
        switch delivery.value.status {
        case .pending:
            assign(delivery, nowMs, &outputs)
        case .assigned, .inFlight:
            guard let droneID = delivery.value.droneID, let place = places[droneID],
                delivery.value.advanced(by: fleet[place], nowMs: nowMs, token: token) != nil
            else { return }
            act(.advance(delivery, by: fleet[place]), &outputs)
        case .delivered, .cancelled, .failed:
            // The drone that a closed delivery names may fly on with it; a closed delivery never opens again, so this
            // needs no second look.
            guard let droneID = delivery.value.droneID, let place = places[droneID], fleet[place].deliveryID == id
            else { return }
            act(.free(versions[place]), &outputs)
        }
    }

    /// Assigns a pending delivery when a drone is there; true when it needs no drone any more.
    @discardableResult
    private mutating func assign(_ delivery: Versioned<Delivery>, _ nowMs: Int64, _ outputs: inout [Output]) -> Bool {
        let demand = DeliveryDemand(delivery.value)
        let choice = assignment.choose(among: fleet, for: demand) { fleet[$0].status == .idle && !isHeld[$0] }
        if let choice {
            let eta = nowMs + Int64(choice.estimate.dropOffMs / max(limits.speedFactor, 1e-6))
            return act(.assign(delivery, to: versions[choice.index], etaMs: eta), &outputs)
        }
        if let reason = assignment.impossibility(of: demand) {
            return act(.fail(delivery, reason: reason), &outputs)
        }
        return false
    }

    /// Assigns the oldest waiting deliveries; those that found no drone come back, longest wait first.
    private mutating func assignWaiting(
        _ nowMs: Int64, _ outputs: inout [Output]
    ) -> [(demand: DeliveryDemand, waitedMs: Int64)] {
        var waiting: [(demand: DeliveryDemand, waitedMs: Int64)] = []
        var considered = 0
        for id in deliveryIDs where considered < limits.consideredPerRound {
            guard let delivery = deliveries[id], delivery.value.status == .pending, !heldDeliveries.contains(id) else {
                continue
            }
            considered += 1
            if !assign(delivery, nowMs, &outputs) {
                waiting.append((DeliveryDemand(delivery.value), nowMs - delivery.value.timestampMs))
            }
        }
        return waiting
    }

    private mutating func orderFleet(
        _ waiting: [(demand: DeliveryDemand, waitedMs: Int64)], _ nowMs: Int64, _ outputs: inout [Output]
    ) {
        var orders = size.charging(fleet, waiting: waiting.map(\.demand))
        orders += size.waking(fleet, waiting: waiting)
        if waiting.isEmpty { orders += size.retiring(fleet, nowMs: nowMs) }
        for order in orders {
            guard let place = places[order.droneID] else { continue }
            act(.order(versions[place], order.status), &outputs)
        }
    }

    private mutating func lookAfterDeliveries(_ nowMs: Int64, _ outputs: inout [Output]) {
        for id in deliveryIDs {
            guard let delivery = deliveries[id], !heldDeliveries.contains(id) else { continue }
            if let mark = delivery.value.marks.first, nowMs - mark.atMs >= limits.markGraceMs {
                act(.publish(delivery), &outputs)
                continue
            }
            if delivery.value.status != .pending { consider(id, nowMs, &outputs) }
            let drone = delivery.value.droneID.flatMap { self.drone($0) }
            if Reconcile.delivery(delivery.value, drone: drone) != nil {
                act(.verifyDelivery(id, droneID: delivery.value.droneID), &outputs)
            }
        }
    }

    private mutating func lookAfterDrones(_ outputs: inout [Output]) {
        for place in fleet.indices where !isHeld[place] && (fleet[place].status == .busy || fleet[place].mission != nil)
        {
            let delivery = fleet[place].deliveryID.flatMap { deliveries[$0]?.value }
            if Reconcile.drone(fleet[place], delivery: delivery) != nil {
                act(.verifyDrone(fleet[place].id, deliveryID: fleet[place].deliveryID), &outputs)
            }
        }
    }
}

extension Array {
    /// The first place whose element satisfies `isAtOrBehind`, which must hold of all after it; the count when none
    /// does.
    fileprivate func partitioningIndex(where isAtOrBehind: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isAtOrBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
