import Wire

/// What an error frame means for the operation that it answers.
enum Refusal: Equatable {
    /// The caller hears of it.
    case final(ClientError)
    /// Another node, or the same one a moment later, may do it.
    case again(ClientError)

    /// Judges an error frame of the node `name`.
    init(_ error: ErrorMessage, of safety: Safety, from name: String) {
        let detail = error.detail.isEmpty ? "node '\(name)' gave no detail" : error.detail
        switch error.code {
        case .staleEpoch, .noRing, .notPrimary, .notReady, .readOnly, .draining, .notWhole, .clockDrift, .tooOld:
            // Certainly not taken. Where two clocks differ nobody can tell whose is wrong: others are asked for their word.
            self = .again(.refused(error.code, detail))
        case .overloaded:
            self = .again(.overloaded(detail))
        case .noQuorum:
            // A write that found no quorum will not be done; whether to try again is its caller's to say.
            self = safety == .repeatable ? .again(.noQuorum(detail)) : .final(.noQuorum(detail))
        case .outcomeUnknown:
            self = .final(.outcomeUnknown(detail))
        case .internalError:
            // The node does not know how far it came.
            self = safety == .repeatable ? .again(.refused(error.code, detail)) : .final(.outcomeUnknown(detail))
        default:
            self = .final(.refused(error.code, detail))
        }
    }

    /// The error, whichever way it goes on.
    var error: ClientError {
        switch self {
        case .final(let error), .again(let error): error
        }
    }
}
