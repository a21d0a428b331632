namespace Proxy.Disk;

/// <summary>The state of the cache folder, with the reason when it is unusable.</summary>
/// <param name="CanRead">The content may be read.</param>
/// <param name="CanWrite">The content may be changed.</param>
/// <param name="Reason">The problem, for the operator, or null.</param>
/// <param name="IsFull">The disk is full.</param>
/// <param name="IsConfigured">A folder is configured.</param>
public sealed record FolderState(bool CanRead, bool CanWrite, string? Reason, bool IsFull = false, bool IsConfigured = true)
{
    /// <summary>The state in one word: ready, read-only, unusable or not configured.</summary>
    public string Name => CanWrite ? "ready" : CanRead ? "read-only" : IsConfigured ? "unusable" : "not configured";
}
