/// Settings of the agents of DroneDispatch.
enum DroneDispatchSettings {
    // MARK: Rules, the same for dispatcher, simulator and gateway

    /// What a mission must leave in the battery.
    static let reserve = Setting.number(
        .fleet, "reserve", default: 15, in: 0...99, unit: "%",
        "Battery that a planned mission must leave when the drone lands at a charge point.")
    /// When idle drones go charging.
    static let lowBattery = Setting.number(
        .fleet, "low-battery", default: 35, in: 0...100, unit: "%", "Idle drones below this charge.")
    /// When inactive drones are woken.
    static let wakeAfter = Setting.duration(
        .fleet, "wake-after", default: "500ms", in: 0...3_600_000, unit: "ms",
        "A delivery that has waited this long without a drone wakes an inactive one.")
    /// When drones are retired.
    static let retireAfter = Setting.duration(
        .fleet, "retire-after", default: "10m", in: 1_000...86_400_000,
        "An idle drone that nothing has needed for this long is retired.")

    // MARK: drone-sim

    /// Drones of a new fleet.
    static let drones = Setting.integer(
        .fleet, "drones", default: 60, in: 1...100_000, unit: "drones",
        "Drones that the simulator registers when the cluster has none; otherwise it takes over what it finds.")
    /// Time between two positions.
    static let tick = Setting.duration(
        .fleet, "tick", default: "1s", in: 50...60_000, unit: "ms", "Time between two positions of a flying drone.")

    // MARK: dispatcher

    /// Time between two rounds.
    static let round = Setting.duration(
        .fleet, "round", default: "250ms", in: 10...60_000, unit: "ms",
        "Time between two rounds over waiting deliveries. New ones are looked at on arrival too.")
    /// How long the dispatcher's lease lasts.
    static let lease = Setting.duration(
        .fleet, "lease", default: "5s", in: 1_000...3_600_000,
        "How long a dispatcher's right to decide lasts without renewal; another one takes over within it.")

    // MARK: order-gen

    /// Orders in a minute.
    static let orders = Setting.number(
        .fleet, "orders", default: 10, in: 0...1_000_000, unit: "a minute", "Random orders in a minute, on average.")
    /// How orders come in.
    static let pattern = Setting.choice(
        .fleet, "pattern", default: "poisson", of: ["poisson", "bursty"],
        "How random orders come in: evenly, or with bursts of ten times the rate, of half a minute every five minutes or so."
    )
    /// How many orders.
    static let count = Setting.integer(
        .fleet, "count", default: nil, in: 1...1_000_000_000, unit: "orders",
        "Orders after which the generator ends. Not given: it goes on.")
    /// A file of orders.
    static let replay = Setting.path(
        .fleet, "replay",
        "File of orders to replay (CSV) in place of random ones; deploy/sample-data/orders.csv is one.")
    /// Whether the file begins anew.
    static let again = Setting.toggle(.fleet, "again", "Replay the file of orders again and again.")
    /// A file of weights.
    static let weights = Setting.path(
        .fleet, "weights",
        "File of the weights' percentiles (CSV: percentile, weight_g). Not given: those of a marketplace.")

    /// Rules that gateway and agents share.
    static let rules: [SettingDefinition] = [
        reserve.definition, lowBattery.definition, wakeAfter.definition, retireAfter.definition,
    ]
    /// Those of `drone-sim` alone.
    static let droneSim: [SettingDefinition] = [drones.definition, tick.definition]
    /// Those of `dispatcher` alone.
    static let dispatcher: [SettingDefinition] = [round.definition, lease.definition]
    /// Those of `order-gen` alone.
    static let orderGen: [SettingDefinition] = [
        orders.definition, pattern.definition, count.definition, replay.definition, again.definition,
        weights.definition,
    ]
    /// In the order of the reference.
    static let all = rules + droneSim + dispatcher + orderGen
}
