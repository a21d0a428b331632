namespace Proxy.Cluster.Changes;

/// <summary>A point in the common log of changes.</summary>
/// <param name="Epoch">A random number that is new when the engine has lost its data, or the latest changes.</param>
/// <param name="Number">The number of the last change that this node has applied.</param>
internal sealed record LogPosition(Guid Epoch, long Number);
