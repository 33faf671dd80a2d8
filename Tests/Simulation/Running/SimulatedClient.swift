import Wire

/// A client: a script, and where it is in it.
struct SimulatedClient {
    let script: [PlannedOperation]
    /// Which of the script's operations are left out.
    let isKept: [Bool]
    /// How far its clock is from the true time, in milliseconds.
    let skewMs: Int64
    var next = 0
    /// The operation it waits for.
    var pending: Int?
    /// The leases it was granted last, by key: their label and token.
    var leases: [Int: (label: RegisterModel.CellNumber, token: Ballot)] = [:]

    var isDone: Bool { next >= script.count && pending == nil }
}
