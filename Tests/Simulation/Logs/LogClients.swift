import NodeCore
import Wire

/// The next thing a client of topics does.
enum LogStep {
    /// A producer goes on, with its next batch or once more with the present one.
    case produce(Int)
    /// A consumer asks again.
    case consume(Int)
    /// A fault of the plan begins.
    case fault(Int)
    /// A node is taken for dead.
    case suspect(Int)
    /// A node that was cut off, or taken for dead, is so no more.
    case mend(Int)
    /// Whoever has sent this request waits no longer.
    case giveUp(Int)
}

/// A producer and where it is.
struct SimulatedProducer {
    let plan: LogPlan.Producer
    var dice: Dice
    var left: Int
    /// Who it is to the log; 0 when it does not number its batches.
    var producerID: UInt64 = 0
    var sequence: UInt64 = 0
    /// The batch that is to be answered, and since when.
    var batch: (number: Int, content: RecordBatch, sinceMs: UInt64)?
    /// Whether the batch may be in the log.
    var isInDoubt = false
    /// The request that it waits for.
    var request: Int?
    /// Who it takes for the primary.
    var primary: Int?

    var isDone: Bool { left == 0 && batch == nil }
}

/// A consumer and where it is.
struct SimulatedConsumer {
    let plan: LogPlan.Consumer
    var dice: Dice
    var position: Offset = 0
    /// The highest epoch that it has been answered under, and the high watermark that it was told last.
    var epoch: LogEpoch = 0
    var watermark: Offset = 0
    var request: Int?
    var primary: Int?
}

/// A request of a client of topics.
struct LogRequest {
    enum Sender {
        case producer(Int, batch: Int)
        case consumer(Int, from: Offset, floors: PartitionHistory.Floors)
        /// Who looks at everything in the end.
        case checker
    }

    let sender: Sender
    /// The node that was asked.
    let node: Int
    var isAnswered = false
}

/// All clients of topics, and what they know.
struct LogClients {
    /// The numbers of their requests.
    static let numbers = 1 << 26..<1 << 30

    var partitions: [PartitionID] = []
    var histories: [PartitionHistory] = []
    var producers: [SimulatedProducer] = []
    var consumers: [SimulatedConsumer] = []
    var batches: [PublishedBatch] = []
    var requests: [LogRequest] = []
    var producerIDs: UInt64 = 0
    /// Whom they ask.
    var dice = Dice(seed: 0, Scenario.logDice)
    /// Answers to the one who looks at everything in the end.
    var checkerHeard: [Int: Message] = [:]

    /// Whether all that was to be published is.
    var areDone: Bool { producers.allSatisfy { $0.isDone } }
}
