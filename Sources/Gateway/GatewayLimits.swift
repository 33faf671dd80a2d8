/// Every bound of the gateway, with its unit and its reason. What is hit is counted under the same name in `/metrics`.
package struct GatewayLimits: Sendable, Hashable {
    /// A request's body, in bytes: a value of the cluster has at most so many.
    package var bodyBytesMax = 1 << 20
    /// Requests being answered at once; above it the gateway sheds load instead of queueing without end.
    package var requestsInFlightMax = 4_096
    /// Open connections; beyond it new ones wait in the socket's queue.
    package var connectionsMax = 16_384
    /// Silence while a request is being read, and between requests, in ms: half a request must not hold a connection.
    package var idleMs: UInt64 = 60_000
    /// Open event streams.
    package var streamsMax = 4_096
    /// Events waiting for one client of a stream; a client that is further behind does not read and is dropped.
    package var streamQueueMax = 4_096
    /// Bytes waiting for one client of a stream.
    package var streamQueueBytesMax = 8 << 20
    /// Pause between two comments on a stream, in ms: proxies close what is silent for longer.
    package var streamCommentMs: UInt64 = 15_000
    /// Records read back for one client that resumes; further behind it gets `reset` and begins at the present.
    package var streamResumeRecordsMax = 50_000
    /// Events remembered to know a second copy of one.
    package var streamRecentEventsMax = 8_192
    /// How long the topics of a stream are still followed after the last client has gone, in ms.
    package var streamLingerMs: UInt64 = 30_000
    /// Open watches: each holds a request at a node.
    package var watchersMax = 256
    /// Partitions that all streams of topics follow together: each holds a request at a node.
    package var topicStreamPartitionsMax = 4_096
    /// Bytes of batches in one answer to a stream of a topic: what one client may hold in memory for each partition.
    package var topicStreamBytesMax = 256 << 10
    /// How long a stream's request for records waits for some, in ms.
    package var topicStreamWaitMs: UInt32 = 10_000
    /// After how many of the pauses of a stream of a topic it looks whether partitions were added.
    package var topicStreamReviewPauses: UInt64 = 5
    /// How often a silent watch, or who waits for records, looks whether its client is still there, in ms.
    package var watchPauseMs: UInt64 = 1_000
    /// Items of a page when the request does not say.
    package var pageDefault = 100
    /// Items of a page at most.
    package var pageMax = 1_000
    /// Documents one filtered page looks at, so that a filter that matches little cannot read everything at once.
    package var pageLookedAtMax = 20_000
    /// Tries of a compare-and-set by value while others change the key.
    package var casAttemptsMax = 16
    /// Sign-ins being checked at once: each takes 32 MiB and a tenth of a second.
    package var signInsWaitingMax = 16
    /// Names and addresses whose sign-in attempts are counted.
    package var signInCountersMax = 10_000
    /// Tokens whose signature has been checked and is remembered.
    package var tokensRememberedMax = 4_096
    /// A text taken over from a request into answers and logs (`X-Request-Id`), in bytes.
    package var requestIDBytesMax = 128
    /// How long an answer about the cluster's health may be repeated, in ms.
    package var healthMs: UInt64 = 1_000
    /// How long the fleet's figures may be repeated, in ms.
    package var figuresMs: UInt64 = 2_000
    /// A file that is served, in bytes.
    package var fileBytesMax = 4 << 20
    /// Files that are served from one folder.
    package var filesMax = 1_000
    /// How long a folder is taken as it was when a file is asked for that is not there, in ms.
    package var filesRescanMs: UInt64 = 2_000

    /// The defaults.
    package init() {}
}
