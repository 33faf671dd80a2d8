/// What a share of the scenarios is made for: a weakness that takes several unlikely steps in a row.
enum Aim: Sendable {
    case nothing
    /// Tombstones are collected while replicas are away and clients write.
    case collection
    /// Serial changes follow each other at one coordinator, and readers get between.
    case promisedPaths
    /// Overwrites collide, and answers to them are lost or come twice.
    case overwrites

    static let weights: [(Aim, weight: Int)] = [
        (.nothing, weight: 14), (.collection, weight: 2), (.promisedPaths, weight: 2), (.overwrites, weight: 2),
    ]

    /// Faults that happen in any case, and those that may.
    var faults: (always: Set<FaultKind>, maybe: [FaultKind]) {
        switch self {
        case .nothing: ([], [])
        case .collection:
            (
                [],
                [.crashes, .twoWayCuts, .isolation, .loss, .lateCopies, .flaps, .clockJumps, .skew, .damagedRegisters]
            )
        case .promisedPaths: ([.loss, .delays], [.skew, .duplicates, .lateness])
        case .overwrites: ([.loss, .delays, .duplicates], [.lateCopies, .skew, .impatience])
        }
    }

    /// What clients do.
    var operations: [(OperationKind, weight: Int)]? {
        switch self {
        case .nothing: nil
        case .collection:
            [
                (.delete, weight: 4), (.put, weight: 3), (.get, weight: 4), (.putIfVersion, weight: 2),
                (.putIfAbsent, weight: 2), (.putExpiring, weight: 1), (.deleteIfVersion, weight: 1),
            ]
        case .promisedPaths:
            [(.putIfVersion, weight: 5), (.putSerial, weight: 4), (.get, weight: 6), (.putIfAbsent, weight: 1)]
        case .overwrites: [(.put, weight: 6), (.get, weight: 3), (.delete, weight: 1)]
        }
    }
}
