namespace Proxy.Disk;

/// <summary>The state of the cache folder, with the reason when it is unusable.</summary>
/// <param name="CanRead">The content may be read.</param>
/// <param name="Reason">The problem, for the operator, or null when there is none.</param>
public sealed record FolderState(bool CanRead, string? Reason)
{
    /// <summary>The content may be changed.</summary>
    public bool CanWrite => Reason is null;

    /// <summary>The disk is full.</summary>
    public bool IsFull { get; init; }

    /// <summary>A folder is configured.</summary>
    public bool IsConfigured { get; init; } = true;

    /// <summary>The state in one word: ready, read-only, unusable or not configured.</summary>
    public string Name => CanWrite ? "ready" : CanRead ? "read-only" : IsConfigured ? "unusable" : "not configured";
}
