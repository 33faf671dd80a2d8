import Testing

/// Tests with real processes on loopback. They run one after another, since each wants the machine for itself.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ProcessTests {}
