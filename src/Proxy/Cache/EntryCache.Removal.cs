using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>Removal of entries.</summary>
public sealed partial class EntryCache
{
    /// <summary>Removes the entries of a series that a backend no longer holds.</summary>
    public void Remove(string backend, SeriesPath path) => _ = RemoveAndLogAsync(new(backend, path));

    /// <summary>Removes the entries of an instance that a backend no longer holds.</summary>
    public void Remove(string backend, InstancePath path) => _ = RemoveAndLogAsync(new(backend, path));

    /// <summary>Removes entries in the background; they are not found from this call on.</summary>
    public void Remove(Removal removal) => _ = RemoveAndLogAsync(removal);

    /// <summary>Removes an entry from memory; on disk it stays.</summary>
    public void RemoveFromMemory(EntryKey key) => _memory.Remove(key);

    /// <summary>Removes all entries of a backend.</summary>
    public void Remove(string backend) => _ = RemoveAndLogAsync(new(backend));

    /// <summary>Removes entries; they are not found from this call on.</summary>
    /// <returns>True once no trace is left on disk; false when the disk cannot be changed now.</returns>
    public async Task<bool> RemoveAsync(Removal removal)
    {
        var begun = _removalLog.Begin(removal);
        Task<bool> removing;
        try
        {
            removing = RemoveUnloggedAsync(removal);
        }
        finally
        {
            _removalLog.End(begun);
        }
        return await removing;
    }

    private async Task<bool> RemoveUnloggedAsync(Removal removal)
    {
        var files = new List<Task>();
        foreach (var (key, inFlight) in _inFlight)
        {
            if (!removal.Matches(key)) continue;
            ISpool? spool;
            lock (inFlight) inFlight.Purge(out spool);
            if (spool is not null) files.Add(spool.UnlinkAsync());
            _inFlight.TryRemove(new(key, inFlight));
        }
        DropCaptures(removal);
        Removed?.Invoke(removal);
        var onDisk = _next.RemoveAsync(removal);
        // Increment after the disk removal is queued and before memory is cleared: a concurrent promotion either misses on disk or sees
        // the new count and undoes itself.
        Interlocked.Increment(ref _removals);
        _memory.RemoveWhere(removal.Matches);
        // A purge: what is fetched after it starts without a history.
        if (removal.Backend is null) _finds.Clear();
        await Task.WhenAll(files);
        return await onDisk;
    }

    /// <summary>Removes the bodies that were stored before a time; on disk whole series, in the background.</summary>
    public void Expire(DateTimeOffset before)
    {
        foreach (var (key, entry) in _memory.ReadAll())
        {
            if (entry.Stored < before) _memory.Remove(key);
        }
        _next.Expire(before);
    }

    private bool IsExpired(DateTimeOffset? stored) => MaxAge != TimeSpan.Zero && stored < _time.GetUtcNow() - MaxAge;

    private Task RemoveAndLogAsync(Removal removal) => LogAsync(RemoveAsync(removal));

    private async Task LogAsync(Task<bool> removing)
    {
        if (!await removing) _log.RemovalPostponed();
    }

    /// <summary>Removes one frame or instance.</summary>
    public void Remove(EntryKey key)
    {
        if (FindRemoval(key) is { } removal) _ = RemoveAndLogAsync(removal);
    }

    /// <summary>Removes an entry that was added too late. Another one that is being added is not late because of that.</summary>
    private void Undo(EntryKey key)
    {
        if (FindRemoval(key) is { } removal) _ = LogAsync(RemoveUnloggedAsync(removal));
    }

    private static Removal? FindRemoval(EntryKey key) =>
        Uid.TryParse(key.Study.ToString(), out var study) && Uid.TryParse(key.Series.ToString(), out var series)
            && Uid.TryParse(key.Instance.ToString(), out var instance)
            ? new(key.Backend, study, series, instance, key.Representation) { Path = key.Path }
            : null;

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
