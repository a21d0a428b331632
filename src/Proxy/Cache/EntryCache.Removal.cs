using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>Removing one entry.</summary>
public sealed partial class EntryCache
{
    /// <summary>Removes one frame or instance.</summary>
    public void Remove(EntryKey key)
    {
        if (Uid.TryParse(key.Study.ToString(), out var study) && Uid.TryParse(key.Series.ToString(), out var series)
            && Uid.TryParse(key.Instance.ToString(), out var instance))
            _ = RemoveAndLogAsync(new(key.Backend, study, series, instance, key.Representation) { Path = key.Path });
    }

    /// <summary>
    /// Removes the entry of the same instance under its own transfer syntax, so that it is not stored twice.
    /// </summary>
    private async ValueTask RemoveTwinAsync(EntryKey key, EntryHead head)
    {
        if (key.Representation.Format is not { MediaType: BodyFormat.Dicom, TransferSyntax: BodyFormat.Any } stored
            || head.TransferSyntax is not { } syntax)
            return;
        var twin = key with { Representation = stored with { TransferSyntax = syntax } };
        if (!_memory.TryPeek(twin, out _) && !await _next.HasAsync([new(twin)], CancellationToken.None)) return;
        Remove(twin);
    }
}
