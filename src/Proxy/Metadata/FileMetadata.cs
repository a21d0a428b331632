namespace Proxy.Metadata;

/// <summary>The metadata of one instance as its own Part 10 file contains it.</summary>
/// <param name="Instance">The dataset of the instance alone.</param>
/// <param name="ReceivedAt">The time at which the backend sent the file.</param>
public sealed record FileMetadata(PackedInstances Instance, DateTimeOffset ReceivedAt);
