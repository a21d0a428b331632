namespace Proxy.Backends;

/// <summary>A backend that a reload removed or gave another address: nothing that it said is valid any more.</summary>
/// <param name="Name">Its name, which may now mean another PACS.</param>
internal sealed record RemovedBackend(string Name);
