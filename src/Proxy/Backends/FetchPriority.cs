namespace Proxy.Backends;

/// <summary>The priority of a fetch that no client waits for.</summary>
/// <param name="Order">The lower number goes first.</param>
/// <param name="RunsBesideClients">
/// True when it continues during searches of clients, and without pauses after client requests: the client needs its result next.
/// </param>
public readonly record struct FetchPriority(int Order, bool RunsBesideClients = false);
