import Wire

/// What a client may do.
enum OperationKind: String, CaseIterable, Sendable {
    case get
    case put
    case putSerial
    case putExpiring
    case delete
    /// A put that compares with the version seen last.
    case putIfVersion
    /// A put that compares with a version of some time ago.
    case putIfOldVersion
    case putIfAbsent
    case deleteIfVersion
    case list
    case getLock
    case acquire
    case renew
    case release
    /// Puts and gets at one, any or all, on keys of their own.
    case putWeak
    case getWeak

    /// On which keys.
    var family: KeyFamily {
        switch self {
        case .getLock, .acquire, .renew, .release: .lock
        case .putWeak, .getWeak: .weak
        default: .register
        }
    }
}

/// Keys are used for one purpose each.
enum KeyFamily: CaseIterable, Sendable {
    case register
    case lock
    case weak

    /// What the names of its keys begin with.
    var letter: Character {
        switch self {
        case .register: "k"
        case .lock: "l"
        case .weak: "w"
        }
    }
}

extension KeyFamily {
    /// The family of a key of a scenario; nil for others.
    init?(of key: Key) {
        guard let family = Self.allCases.first(where: { key.bytes.first == $0.letter.asciiValue }) else { return nil }
        self = family
    }
}

/// An operation that a client has in mind; what it compares with shows when it is done.
struct PlannedOperation: Sendable {
    let kind: OperationKind
    /// Which of the keys of its family.
    let key: Int
    /// Pause before it, in milliseconds.
    let thinkMs: UInt64
    /// Decides the coordinator, the time to live and the like.
    let draw: UInt64
    /// When the client gives up, in milliseconds.
    var patienceMs: UInt64
}
