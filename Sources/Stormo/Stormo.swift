import ArgumentParser
@main
struct StormoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stormo", abstract: "Keys and topics on a few machines of your own.")
}
