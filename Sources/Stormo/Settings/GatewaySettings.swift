/// Settings of `stormo gateway`.
enum GatewaySettings {
    /// The gateway's name.
    static let name = Setting.text(
        .gateway, "name", default: "gateway", bytesMax: 255,
        "Name of the gateway, shown to operators and in the header X-Served-By.")
    /// Where it listens.
    static let listen = Setting.address(
        .gateway, "listen", default: "127.0.0.1:8080", "Where the gateway listens for HTTP.")

    /// In the order of the reference.
    static let all: [SettingDefinition] = [name.definition, listen.definition]
}
